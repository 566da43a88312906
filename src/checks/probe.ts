/** A connection under observation: what was sent, what came, how it ended, and when. */
import { createHash, type Hash } from 'node:crypto'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { peerText } from '../vocabulary/text.ts'
import { formatDuration, formatSize } from '../vocabulary/units.ts'
import { errnoOf } from '../engines/failures.ts'

/** The address of this end of a plain socket, or of TLS on top of it. */
function localOf(stream: Duplex): string {
  const { localAddress, localPort } = stream as Partial<Socket>
  return peerText(localAddress, localPort)
}

/** How the other side ended a connection. */
export type ProbeEnding = 'FIN' | 'RST' | 'broken'

/** Why a wait ended. */
export type Waited = 'done' | 'ended' | 'silence'

/** The most bytes that are kept. A question sends less than that, so no echo is longer. */
const keptMaxBytes = 4 * 2 ** 20
/** The most events that are listed: more lines would hide what matters. */
const eventsMax = 12

export class ProbeConnection {
  readonly stream: Duplex
  readonly openedMs = performance.now()
  /** In milliseconds since 1970. */
  readonly openedAt = Date.now()
  /** The address of this end; empty where it has none, as on a unix socket. */
  readonly local: string
  sentBytes = 0
  /** Bytes that came since the probe was opened, or since discard(). */
  receivedBytes = 0
  /** All bytes since the probe was opened. */
  allReceivedBytes = 0
  /** What both sides agreed on, such as HTTP/2. */
  details: readonly string[] = []
  /** The name of the trace that the other end keeps; undefined where it keeps none. */
  traceId: string | undefined
  /** The address of this end as the other end sees it, where it reports that. */
  seenAs: string | undefined
  /**
   * The connection goes through an HTTP proxy: the kernel of this machine knows only the way to the
   * proxy.
   */
  isTunnelled = false
  /** When FIN was sent; NaN if it was not. */
  finMs = Number.NaN
  /** When the last bytes were sent. */
  wroteMs = Number.NaN
  /** When the last bytes came; before any came: when the probe was opened. */
  lastMs = this.openedMs
  /** How the connection ended for us, when, and by which error. */
  ending: ProbeEnding | undefined
  endedMs = Number.NaN
  errno = ''
  /** Called with each chunk in place of keeping it. */
  sink: ((chunk: Buffer) => void) | undefined
  readonly #kept: Buffer[] = []
  #keptBytes = 0
  readonly #events: [ms: number, what: string][] = []
  readonly #watchers = new Set<() => void>()
  readonly #spend: (data: Uint8Array) => void
  readonly #sentHash: Hash = createHash('sha256')
  readonly #cameHash: Hash = createHash('sha256')

  /** @param spend is told what is about to be sent, and throws if it is too much */
  constructor(stream: Duplex, spend: (data: Uint8Array) => void = () => {}) {
    this.stream = stream
    this.local = localOf(stream)
    this.#spend = spend
    stream.on('data', chunk => this.#arrived(chunk as Buffer | string))
    stream.on('end', () => this.#ended('FIN'))
    stream.on('error', error => this.#broke(error))
    stream.on('close', () => this.#notify())
    if (stream.errored) this.#broke(stream.errored)
  }

  #arrived(data: Buffer | string) {
    const chunk = typeof data === 'string' ? Buffer.from(data) : data
    this.lastMs = performance.now()
    this.receivedBytes += chunk.length
    this.allReceivedBytes += chunk.length
    if (this.traceId !== undefined) this.#cameHash.update(chunk)
    this.note(`${formatSize(chunk.length)} came`)
    if (this.sink) this.sink(chunk)
    else if (this.#keptBytes < keptMaxBytes) {
      this.#kept.push(chunk)
      this.#keptBytes += chunk.length
    }
    this.#notify()
  }

  #ended(ending: ProbeEnding) {
    if (this.ending !== undefined) return
    this.ending = ending
    this.endedMs = performance.now()
    const name = this.errno === '' || ending === 'RST' ? ending : `${ending} (${this.errno})`
    this.note(name === 'FIN' || name === 'RST' ? `${name} came` : name)
    this.#notify()
  }

  #broke(error: Error) {
    this.errno = errnoOf(error) || error.message
    // EPIPE says that a RST came before; ECONNRESET, that it has just come.
    this.#ended(/^(ECONNRESET|EPIPE|ECONNABORTED)$/.test(this.errno) ? 'RST' : 'broken')
  }

  #notify() {
    for (const watcher of this.#watchers) watcher()
  }

  /** The bytes that came and were kept. */
  get received(): Buffer {
    return Buffer.concat(this.#kept)
  }

  /** SHA-256 of all that was sent, where the other end keeps a trace. */
  get sentDigest(): string {
    return this.#sentHash.copy().digest('hex')
  }

  /** SHA-256 of all that came, where the other end keeps a trace. */
  get cameDigest(): string {
    return this.#cameHash.copy().digest('hex')
  }

  /** Forgets what came so far. */
  discard(): void {
    this.#kept.length = 0
    this.#keptBytes = 0
    this.receivedBytes = 0
  }

  /** Resolves when the stream takes more. */
  async write(data: Uint8Array): Promise<void> {
    this.#spend(data)
    this.sentBytes += data.length
    this.note(`${formatSize(data.length)} sent`)
    this.wroteMs = performance.now()
    if (this.traceId !== undefined) this.#sentHash.update(data)
    if (this.stream.destroyed || this.stream.writableEnded) return
    if (this.stream.write(data)) return
    await new Promise<void>(resolve => {
      const settle = () => {
        for (const event of ['drain', 'close', 'error']) this.stream.off(event, settle)
        resolve()
      }
      for (const event of ['drain', 'close', 'error']) this.stream.on(event, settle)
    })
  }

  /**
   * Like write(), but gives up when nothing has come back for `silenceMs`: the server may have
   * stopped reading.
   */
  async push(data: Uint8Array, silenceMs: number, isOver = () => false): Promise<Waited> {
    let isTaken = false
    const taking = this.write(data).then((): Waited => {
      isTaken = true
      this.#notify()
      return 'done'
    })
    return await Promise.race([taking, this.until(() => isTaken || isOver(), silenceMs)])
  }

  /** Half-closes. */
  fin(): void {
    this.note('FIN sent')
    this.finMs = performance.now()
    this.stream.end()
  }

  /**
   * Writes down what happened now; if many of the same kind come in a row, only the first and the
   * last are kept.
   */
  note(what: string): void {
    const events = this.#events
    if (events.length >= eventsMax) events[eventsMax - 1] = [performance.now(), what]
    else events.push([performance.now(), what])
  }

  /** `at 0us 5 B sent, at 1.2ms 5 B came`; times count from when the connection was open. */
  get story(): string {
    const told = this.#events.map(
      ([ms, what]) => `at ${formatDuration(Math.max(0, ms - this.openedMs))} ${what}`,
    )
    if (told.length === eventsMax) told.splice(-1, 0, '...')
    return told.join(', ')
  }

  /**
   * Waits until `isDone`, until the other side has ended, or until nothing came for `silenceMs`.
   * If this process was held up, it first reads what has come meanwhile.
   */
  until(isDone: () => boolean, silenceMs: number): Promise<Waited> {
    return new Promise(resolve => {
      const startedMs = performance.now()
      let timer: NodeJS.Timeout
      const settle = (how: Waited) => {
        clearTimeout(timer)
        this.#watchers.delete(look)
        resolve(how)
      }
      const look = () => {
        if (isDone()) settle('done')
        else if (this.ending !== undefined || this.stream.destroyed) settle('ended')
      }
      const late = () => {
        const leftMs = Math.max(startedMs, this.lastMs) + silenceMs - performance.now()
        if (leftMs > 0) timer = setTimeout(late, leftMs)
        else setImmediate(() => setImmediate(finally_))
      }
      const finally_ = () => {
        if (!this.#watchers.has(look)) return
        if (performance.now() - Math.max(startedMs, this.lastMs) < silenceMs) late()
        else settle('silence')
      }
      this.#watchers.add(look)
      timer = setTimeout(late, silenceMs)
      look()
    })
  }

  /** Waits until this many bytes have come since the probe was opened, or since discard(). */
  bytes(count: number, silenceMs: number): Promise<Waited> {
    return this.until(() => this.receivedBytes >= count, silenceMs)
  }

  /** The descriptor of a plain socket, for questions to the kernel. */
  get fd(): number | undefined {
    const { _handle: handle } = this.stream as unknown as { _handle?: { fd?: number } | null }
    return this.stream instanceof Socket && (handle?.fd ?? -1) >= 0 ? handle!.fd : undefined
  }

  async close(): Promise<void> {
    if (this.stream.closed) return
    const closed = new Promise(resolve => this.stream.once('close', resolve))
    this.stream.destroy()
    await closed
  }
}
