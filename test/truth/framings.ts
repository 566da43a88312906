/** Where messages of a fixed size end in a stream as it travels: by the RFC of each transport. */

export interface Framing {
  transport: 'tcp' | 'tls' | 'ws' | 'http' | 'udp'
  sizeBytes: number
}

type Ends = (stream: Buffer) => number[]

/** A stream in each direction. */
export interface Framed {
  requests: Ends
  replies: Ends
}

/** TLS 1.3 (RFC 8446): a record has 5 bytes before it, 16 behind it, and one that says its kind. */
const recordHeaderBytes = 5
const sealBytes = 17
const applicationData = 23
/** close_notify, at the end. */
const alertBytes = 2
/** What a client of RFC 6455 puts before its bytes besides. */
const maskBytes = 4

/** Of streams: for requests, and for replies. */
export const framings: Record<
  Exclude<Framing['transport'], 'udp'>,
  (sizeBytes: number) => Framed
> = {
  tcp(sizeBytes) {
    const ends: Ends = ({ length }) =>
      Array.from({ length: Math.floor(length / sizeBytes) }, (_, n) => (n + 1) * sizeBytes)
    return { requests: ends, replies: ends }
  },
  tls(sizeBytes) {
    // The first record of messages has whole ones; what belongs to the handshake has other lengths.
    const ends: Ends = stream => {
      const found: number[] = []
      let given = 0
      for (let at = 0; at + recordHeaderBytes <= stream.length;) {
        const length = stream.readUInt16BE(at + 3)
        const end = at + recordHeaderBytes + length
        if (end > stream.length) break
        const bytes = length - sealBytes
        const isData = stream[at] === applicationData && bytes > 0 && bytes !== alertBytes
        // Several messages may travel in one record, and one in several.
        if (isData && (given > 0 || bytes % sizeBytes === 0)) given += bytes
        while ((found.length + 1) * sizeBytes <= given) found.push(end)
        at = end
      }
      return found
    }
    return { requests: ends, replies: ends }
  },
  ws() {
    const ends: Ends = stream => {
      const found: number[] = []
      for (let at = stream.indexOf('\r\n\r\n') + 4; at >= 4 && at + 2 <= stream.length;) {
        const isData = (stream[at]! & 0x0f) <= 2
        const masked = (stream[at + 1]! & 0x80) !== 0 ? maskBytes : 0
        const short = stream[at + 1]! & 0x7f
        if (short === 126 && at + 4 > stream.length) break
        const [header, length] = short < 126 ? [2, short] : [4, stream.readUInt16BE(at + 2)]
        at += header + masked + length
        if (at <= stream.length && isData) found.push(at)
      }
      return found
    }
    return { requests: ends, replies: ends }
  },
  http() {
    const ends: Ends = stream => {
      const found: number[] = []
      for (let at = 0; at < stream.length;) {
        const body = stream.indexOf('\r\n\r\n', at) + 4
        if (body < 4) break
        const head = stream.toString('latin1', at, body)
        const length = Number(/content-length: *(\d+)/i.exec(head)?.[1] ?? 0)
        at = body + length
        if (at <= stream.length) found.push(at)
      }
      return found
    }
    return { requests: ends, replies: ends }
  },
}
