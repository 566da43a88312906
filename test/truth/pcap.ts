/** What tcpdump has written, read packet by packet: the format is that of pcap-savefile(5). */

export interface Packet {
  /** When the system saw it, in milliseconds of its clock: only differences mean something. */
  atMs: number
  protocol: 'tcp' | 'udp'
  from: number
  to: number
  /** Of tcp: the number of its first byte, and whether it opens the stream. */
  sequence: number
  opens: boolean
  payload: Buffer
}

const nanoMagic = 0xa1b23c4d
const microMagic = 0xa1b2c3d4
const fileHeaderBytes = 24
const recordHeaderBytes = 16
const ethernet = 1
const ethernetBytes = 14
const ipv4 = 0x0800

/** All packets of a capture of the loopback; a record that is not whole yet ends it. */
export function readCapture(file: Buffer): Packet[] {
  if (file.length < fileHeaderBytes) return []
  const magic = file.readUInt32LE(0)
  if (magic !== nanoMagic && magic !== microMagic) throw new Error('This is no capture.')
  if (file.readUInt32LE(20) !== ethernet) throw new Error('This is no capture of a loopback.')
  const perMs = magic === nanoMagic ? 1e6 : 1e3
  const packets: Packet[] = []
  for (let at = fileHeaderBytes; at + recordHeaderBytes <= file.length;) {
    const atMs = file.readUInt32LE(at) * 1e3 + file.readUInt32LE(at + 4) / perMs
    const length = file.readUInt32LE(at + 8)
    const from = at + recordHeaderBytes
    at = from + length
    if (at > file.length) break
    const packet = readFrame(file.subarray(from, at), atMs)
    if (packet) packets.push(packet)
  }
  return packets
}

function readFrame(frame: Buffer, atMs: number): Packet | undefined {
  if (frame.length < ethernetBytes + 20 || frame.readUInt16BE(12) !== ipv4) return undefined
  const ip = frame.subarray(ethernetBytes)
  const segment = ip.subarray((ip[0]! & 0x0f) * 4)
  // A segment that was never cut for a real wire may be longer than the field can say: 0 then.
  const totalBytes = ip.readUInt16BE(2) || ip.length
  const end = totalBytes - (ip[0]! & 0x0f) * 4
  const [from, to] = [segment.readUInt16BE(0), segment.readUInt16BE(2)]
  if (ip[9] === 17) {
    const payload = segment.subarray(8, end)
    return { atMs, protocol: 'udp', from, to, sequence: 0, opens: false, payload }
  }
  if (ip[9] !== 6) return undefined
  const payload = segment.subarray((segment[12]! >> 4) * 4, end)
  const opens = (segment[13]! & 0x02) !== 0
  return { atMs, protocol: 'tcp', from, to, sequence: segment.readUInt32BE(4), opens, payload }
}
