/** One flow of the client: a connection with a session, from its hello to its end. */
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FoundFlow } from '../../../load/direction/thread-flows.ts'
import { Receiver } from '../../../load/direction/receiver.ts'
import { Sender } from '../../../load/direction/sender.ts'
import type { Payload } from '../../../load/payload.ts'
import { counter, type CounterName, type FailureName, type Meter } from '../../../metrics/meter.ts'
import type { FlowTask } from '../../../task.ts'
import { printable } from '../../../vocabulary/text.ts'
import { formatDuration } from '../../../vocabulary/units.ts'
import {
  frameKinds,
  SessionFrameReader,
  writeFrame,
  type Bodies,
  type FrameEvents,
} from '../../../wire/direction/frames.ts'
import { readAnswer } from '../../../wire/direction/hello.ts'
import type { Report } from '../../../wire/direction/trace.ts'
import { explain, failureName, reasonWhy } from '../../failures.ts'
import { countGarbage } from '../../garbage.ts'
import type { TcpInfo } from '../../os/path-info.ts'
import { handleDescriptor } from '../core/listener.ts'
import { readInto } from '../core/read-into.ts'
import { afterTimeout } from '../core/patience.ts'
import { FlowRecord } from './flow-record.ts'
import { endsBefore, whyNoReport, whyNoSum } from './claims.ts'
import { notServed, refusedBy } from './not-served.ts'
import { PagedOutlet } from './paged.ts'
import { PathSamples } from './path-samples.ts'
import { Pump } from './pump.ts'
import { isReadable } from './reported.ts'

/** The socket below TLS. */
const rawOf = (stream: Duplex): Socket =>
  ((stream as unknown as { _parent?: Socket })._parent ?? stream) as Socket

/** What a flow is made of. */
export interface FlowParts {
  number: number
  stream: Duplex
  /** The socket that the system knows: the stream itself, or what it runs on. */
  below: Duplex
  /** What to send first; undefined if it was in a header of a request without a body. */
  hello: Buffer | undefined
  /** The hello of such a request: an answer that contains it is an echo. */
  inHead: string | undefined
  /** When dialling began. */
  askedMs: number
  payload: Payload
  meter: Meter
}

export class ClientFlow implements FrameEvents {
  /** Resolves when the connection is closed. */
  readonly closed: Promise<void>
  readonly #task: FlowTask
  readonly #number: number
  readonly #stream: Duplex
  readonly #below: Duplex
  readonly #hello: Buffer | undefined
  readonly #inHead: string | undefined
  readonly #askedMs: number
  readonly #counters: Float64Array
  readonly #reader = new SessionFrameReader(this)
  readonly #pump: Pump | undefined
  readonly #receiver: Receiver | undefined
  readonly #record: FlowRecord
  #first = Buffer.alloc(0)
  #opening: { accept: () => void; fail: (error: Error) => void } | undefined
  #inFrames = false
  /** Each chunk has memory of its own, which is garbage afterwards. */
  #ownsChunks = true
  #samples: PathSamples | undefined
  /** Whether this end has sent its end frame. */
  #isEnding = false
  #over = false

  constructor(task: FlowTask, parts: FlowParts) {
    const { number, stream, below, hello, inHead, askedMs, payload, meter } = parts
    this.#task = task
    this.#hello = hello
    this.#inHead = inHead
    this.#askedMs = askedMs
    this.#below = below
    this.#number = number
    this.#stream = stream
    this.#counters = meter.counters
    const { direction, sizeBytes, ratePerSecond } = task
    if (direction !== 'down') {
      const sender = new Sender(payload, number, { sizeBytes, ratePerSecond })
      const paged = PagedOutlet.over(stream, sender)
      const onBytes = (bytes: number) => this.#count('bytesOut', bytes)
      this.#pump = new Pump(stream, sender, { paged, onBytes })
    }
    if (direction !== 'up') this.#receiver = new Receiver(payload, number, performance.now())
    this.#record = new FlowRecord(this.#receiver)
    stream.on('error', error => this.#fail(error))
    stream.on('end', () => this.#onEnd())
    this.closed = new Promise(resolve => {
      stream.once('close', () => {
        this.#onClosed()
        resolve()
      })
    })
  }

  /** Says hello. Resolves when the server has accepted; rejects with a UserError if it does not. */
  open(): Promise<void> {
    const { timeoutMs } = this.#task
    return new Promise((resolve, reject) => {
      const silence = `sent no answer within ${formatDuration(timeoutMs)}.`
      const done = afterTimeout(timeoutMs, () => fail(this.#notServed(silence)))
      const settle = (how: () => void) => {
        done()
        this.#opening = undefined
        how()
      }
      const fail = (error: Error) => settle(() => reject(error))
      this.#opening = { accept: () => settle(resolve), fail }
      this.#ownsChunks = !readInto(this.#stream, this.#onData)
      if (this.#ownsChunks) this.#stream.on('data', this.#onData)
      if (this.#hello) this.#stream.write(this.#hello)
    })
  }

  #notServed(what: string): Error {
    return notServed(this.#task.address, what)
  }

  begin(): void {
    if (this.#over) return
    if (this.#receiver && this.#hello) this.#stream.write(writeFrame(frameKinds.start, {}))
    this.#record.begin()
    this.#samples = new PathSamples(this.#counters)
    // This system has figures about sending up; the server reports its own about sending down.
    if (this.#pump) this.#samples.ask(this.#record.up, () => handleDescriptor(rawOf(this.#below)))
    this.#pump?.begin()
  }

  /** Ends sending; then the server sends its last report, and ends, too. */
  end(): void {
    this.#record.awaitsNoMore()
    this.#isEnding = true
    this.#pump?.end()
    if (this.#over || this.#stream.destroyed || this.#stream.writableEnded) return
    // The server knows when to end, or sends until the client has gone.
    if (!this.#hello && this.#task.durationMs === Infinity) return this.#cut()
    if (!this.#hello) return
    this.#stream.write(writeFrame(frameKinds.end, { sentBytes: this.#pump?.sentBytes ?? 0 }))
  }

  /** The drain is over. */
  giveUp(): void {
    this.destroy()
  }

  /** Closes at once, without waiting for the end of the stream. */
  destroy(): void {
    if (!this.#over) this.#record.unfinished = true
    this.#cut()
  }

  #cut() {
    this.#over = true
    this.#pump?.end()
    this.#stream.destroy()
  }

  get found(): FoundFlow {
    this.#record.up.sentBytes = this.#pump?.sentBytes ?? 0
    return this.#record.found(this.#number, this.#task.direction)
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#count('chunks', 1)
    this.#count('bytesIn', chunk.length)
    if (this.#inFrames) this.#read(chunk, 0)
    else this.#readFirst(chunk)
    if (this.#ownsChunks) countGarbage(chunk.length)
  }

  #readFirst(chunk: Buffer) {
    this.#first = Buffer.concat([this.#first, chunk])
    const answer = readAnswer(this.#first)
    if (answer.kind === 'incomplete') return
    if (answer.kind === 'echoed')
      return this.#opening?.fail(this.#notServed('echoes the session as it does any bytes.'))
    this.#inFrames = true
    this.#read(this.#first, answer.at)
  }

  #read(chunk: Buffer, from: number) {
    this.#receiver?.arrived(performance.now())
    this.#reader.push(chunk, from)
    const { broken } = this.#reader
    if (broken === undefined || this.#over) return
    if (this.#opening) return this.#opening.fail(this.#notServed(this.#insteadOf()))
    // The frames make no sense: bytes were changed on the way, or are missing.
    this.#broke('wrongBytes', broken)
  }

  /** What came instead of a session. */
  #insteadOf(): string {
    return this.#inHead !== undefined && this.#first.includes(this.#inHead)
      ? 'echoes the request like any other.'
      : 'answers something else.'
  }

  onPayload(chunk: Buffer, from: number, to: number): void {
    this.#count('bytesVerified', to - from)
    const wrong = this.#receiver?.take(chunk, from, to) ?? 0
    if (wrong > 0) this.#count('wrongBytes', 1)
  }

  onFrame<K extends keyof Bodies>(kind: K, body: Bodies[K]): void {
    if (this.#over) return
    if (kind === frameKinds.accepted) this.#opening?.accept()
    else if (kind === frameKinds.refused) this.#onRefused((body as { reason: unknown }).reason)
    else if (kind === frameKinds.report) this.#onReport(body as Report)
    else if (kind === frameKinds.sending) this.#samples?.note(this.#record.down, body as TcpInfo)
    else if (kind === frameKinds.end) this.#onOver((body as { sentBytes: number }).sentBytes)
  }

  #onRefused(said: unknown) {
    if (this.#opening) this.#opening.fail(refusedBy(this.#task.address, said))
    else this.#broke('wrongBytes', `the server found that ${printable(String(said))}`)
  }

  #onReport(report: Report) {
    if (!isReadable(report))
      return this.#broke('protocol', 'the report of the server makes no sense')
    // Until the last report, a part of the next frame may have come, too.
    const sentBytes = this.#pump?.sentBytes ?? 0
    const most = sentBytes + (report.end || !this.#pump ? 0 : this.#task.sizeBytes)
    const { up } = this.#record
    const why = whyNoReport(report, up.report, most)
    if (why !== undefined) return this.#broke('protocol', why)
    this.#count('bytesConfirmed', report.bytes - (up.report?.bytes ?? 0))
    up.report = report
    up.marks.push([report.atMs, report.bytes])
  }

  #onOver(sentBytes: number) {
    this.#over = true
    const { up, down } = this.#record
    if ((up.report?.wrongBytes ?? 0) > 0) this.#count('wrongBytes', 1)
    const why = whyNoSum(sentBytes, this.#receiver?.bytes ?? 0)
    if (why !== undefined) return this.#broke('protocol', why)
    down.sentBytes = sentBytes
    down.ended = true
    if (this.#endsEarly())
      return this.#broke('closedEarly', 'the server ended the session before the run was over')
    if (this.#pump && !up.report?.end)
      return this.#broke('protocol', 'the server ended without its last report')
    up.ended = true
    this.#stream.end()
  }

  /**
   * Whether the server ended too early. After a hello it must wait for the end of this side;
   * without one it knows how long to send.
   */
  #endsEarly(): boolean {
    if (this.#isEnding) return false
    const { warmupMs, durationMs } = this.#task
    return this.#hello !== undefined || endsBefore(this.#askedMs, warmupMs + durationMs)
  }

  #onEnd() {
    if (this.#opening) this.#opening.fail(this.#notServed('closed the connection.'))
    else if (!this.#over) this.#broke('closedEarly', 'the connection ended before the session did')
  }

  #fail(error: Error) {
    if (this.#opening) return this.#opening.fail(explain('connect to', this.#task.address, error))
    if (!this.#over) this.#broke(failureName(error), reasonWhy(error))
  }

  #broke(name: FailureName, reason?: string) {
    this.#record.broke(name, reason)
    this.#count(name, 1)
    this.#cut()
  }

  #onClosed() {
    this.#over = true
    this.#pump?.end()
    this.#samples?.stop()
    this.#record.close()
    this.#count('closed', 1)
  }

  #count(name: CounterName, by: number) {
    this.#counters[counter[name]]! += by
  }
}
