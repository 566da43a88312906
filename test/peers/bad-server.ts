/** An echo server that misbehaves once, in one way, on the first client that goes far enough. */
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'

/** What becomes of the bytes from `afterBytes` on: of the first two pieces of equal length. */
export const misdeeds = [
  'flips one bit',
  'swaps two pieces',
  'repeats a piece',
  'drops a piece',
  'sends a piece of another connection',
  'inserts seven bytes',
  'closes in the middle',
  'resets',
  'never answers',
] as const
export type Misdeed = (typeof misdeeds)[number]

export interface Badness {
  misdeed: Misdeed
  /** Up to there everything is right, on every connection. */
  afterBytes: number
  pieceBytes: number
  /** What the client may have in flight: once that came, it has received what was before. */
  inFlightBytes?: number
  /** What a connection is known by: the first bytes that its client sends. */
  beginningBytes?: number
}

/** Where the damage is: what the client ought to say. */
export interface Damage {
  /** The first bytes that the client of the damaged connection sent. */
  beginning: Buffer
  /** The bytes that should have come from `offset` on, as far as they are known. */
  right: Buffer
  /** Offset of the first byte that was not right, or did not come. */
  offset: number
  /** Of bytes of another connection: whose they are, and where they are from. */
  foreign?: { beginning: Buffer; offset: number }
}

interface Client {
  socket: Socket
  receivedBytes: number
  /** The first bytes that it sent, and the last. */
  beginning: Buffer
  tail: Buffer
}

export class BadServer implements AsyncDisposable {
  readonly #badness: Required<Badness>
  readonly #clients: Client[] = []
  readonly #server = createServer({ allowHalfOpen: true, noDelay: true }, socket =>
    this.#serve(socket),
  )
  #victim: Client | undefined
  /** What is held back from the victim, from `afterBytes` on; undefined once the fault is done. */
  #held: Buffer | undefined = Buffer.alloc(0)
  /** What the victim sent from there on, and what it got for it. */
  #right: Buffer[] = []
  #sent: Buffer[] = []
  #foreign: Damage['foreign']

  constructor(badness: Badness) {
    this.#badness = { beginningBytes: 32, inFlightBytes: badness.pieceBytes, ...badness }
  }

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `tcp://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Undefined if no connection went far enough. */
  get damage(): Damage | undefined {
    if (!this.#victim || this.#held) return undefined
    const [right, sent] = [Buffer.concat(this.#right), Buffer.concat(this.#sent)]
    let at = 0
    while (at < sent.length && sent[at] === right[at]) at++
    return {
      beginning: this.#victim.beginning,
      right: right.subarray(at),
      offset: this.#badness.afterBytes + at,
      ...(this.#foreign && { foreign: this.#foreign }),
    }
  }

  #serve(socket: Socket) {
    const nothing = Buffer.alloc(0)
    const client: Client = { socket, receivedBytes: 0, beginning: nothing, tail: nothing }
    this.#clients.push(client)
    socket.on('data', (chunk: Buffer) => this.#onData(client, chunk))
    socket.on('end', () => socket.end())
    // A client may leave however it likes.
    socket.on('error', () => {})
  }

  #onData(client: Client, chunk: Buffer) {
    const { afterBytes, pieceBytes, beginningBytes } = this.#badness
    const { beginning, receivedBytes } = client
    if (beginning.length < beginningBytes)
      client.beginning = Buffer.concat([beginning, chunk]).subarray(0, beginningBytes)
    client.tail = Buffer.concat([client.tail, chunk]).subarray(-pieceBytes)
    client.receivedBytes += chunk.length
    if (client.receivedBytes > afterBytes) this.#victim ??= client
    if (this.#victim !== client) return void client.socket.write(chunk)
    const before = Math.max(0, afterBytes - receivedBytes)
    if (before > 0) client.socket.write(chunk.subarray(0, before))
    this.#right.push(chunk.subarray(before))
    if (!this.#held) return this.#send(client, chunk.subarray(before))
    this.#held = Buffer.concat([this.#held, chunk.subarray(before)])
    this.#misbehave(client, this.#held)
  }

  #send(client: Client, ...chunks: Buffer[]) {
    if (this.#badness.misdeed === 'never answers' || !client.socket.writable) return
    this.#sent.push(...chunks)
    client.socket.write(Buffer.concat(chunks))
  }

  /** As soon as enough has been received for it. */
  #misbehave(client: Client, held: Buffer) {
    const { misdeed, pieceBytes } = this.#badness
    const wanted =
      misdeed === 'swaps two pieces'
        ? 2 * pieceBytes
        : misdeed === 'resets'
          ? this.#badness.inFlightBytes
          : pieceBytes
    const other = this.#clients.find(
      each => each !== client && each.tail.length === pieceBytes && each.beginning.length > 0,
    )
    if (held.length < wanted) return
    if (misdeed === 'sends a piece of another connection' && !other) return
    this.#held = undefined
    const [piece, rest] = [held.subarray(0, pieceBytes), held.subarray(pieceBytes)]
    const middle = pieceBytes >> 1
    switch (misdeed) {
      case 'flips one bit': {
        const copy = Buffer.from(piece)
        copy[middle]! ^= 1
        return this.#send(client, copy, rest)
      }
      case 'swaps two pieces':
        return this.#send(client, rest.subarray(0, pieceBytes), piece, rest.subarray(pieceBytes))
      case 'repeats a piece':
        return this.#send(client, piece, piece, rest)
      case 'drops a piece':
        return this.#send(client, rest)
      case 'sends a piece of another connection': {
        const { beginning, receivedBytes } = other!
        this.#foreign = { beginning, offset: receivedBytes - pieceBytes }
        return this.#send(client, Buffer.from(other!.tail), rest)
      }
      case 'inserts seven bytes': {
        const bytes = Buffer.from('badness')
        return this.#send(client, piece.subarray(0, middle), bytes, piece.subarray(middle), rest)
      }
      case 'closes in the middle':
        this.#send(client, piece.subarray(0, middle))
        return void client.socket.end()
      case 'resets':
        return void client.socket.resetAndDestroy()
      case 'never answers':
    }
  }

  async [Symbol.asyncDispose]() {
    for (const { socket } of this.#clients) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
