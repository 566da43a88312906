/** One flow of the client: a connection with a session, from its hello to its end. */
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FoundDirection, FoundFlow } from '../../../load/direction/thread-flows.ts'
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
import { tcpInfo, type TcpInfo } from '../../os/path-info.ts'
import { handleDescriptor } from '../core/listener.ts'
import { readInto } from '../core/read-into.ts'
import { afterTimeout } from '../core/patience.ts'
import { notServed } from './not-served.ts'
import { PagedOutlet } from './paged.ts'
import { Pump } from './pump.ts'
import { isReadable } from './reported.ts'

/** How often to note how much has come; the server does the same. */
const markMs = 100
/** How often the system is asked about the connection; for a day at most. */
const sampleMs = 1_000
const samplesMax = 86_400

/** The socket below TLS. */
const rawOf = (stream: Duplex): Socket =>
  ((stream as unknown as { _parent?: Socket })._parent ?? stream) as Socket

/** What a flow is made of. */
export interface FlowParts {
  number: number
  stream: Duplex
  /** What the system knows: the stream itself, or what it runs on. */
  below: Duplex
  /** What to send first; undefined if it was in the head of a request, which has no body. */
  hello: Buffer | undefined
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
  readonly #counters: Float64Array
  readonly #reader = new SessionFrameReader(this)
  readonly #pump: Pump | undefined
  readonly #receiver: Receiver | undefined
  readonly #up: FoundDirection = { sentBytes: 0, report: undefined, marks: [] }
  readonly #down: FoundDirection = { sentBytes: 0, report: undefined, marks: [] }
  #first = Buffer.alloc(0)
  #opening: { accept: () => void; fail: (error: Error) => void } | undefined
  #inFrames = false
  /** Each chunk has memory of its own, which is garbage afterwards. */
  #ownsChunks = true
  #marking: NodeJS.Timeout | undefined
  #sampling: NodeJS.Timeout | undefined
  #beganMs = 0
  #over = false
  #unfinished = false
  #failure: FailureName | undefined
  #reason: string | undefined

  constructor(task: FlowTask, { number, stream, below, hello, payload, meter }: FlowParts) {
    this.#task = task
    this.#hello = hello
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

  #notServed(what: string, hint?: string): Error {
    return notServed(this.#task.address, what, hint)
  }

  begin(): void {
    if (this.#over) return
    if (this.#receiver) {
      if (this.#hello) this.#stream.write(writeFrame(frameKinds.start, {}))
      this.#marking = setInterval(() => this.#mark(), markMs)
    }
    this.#beganMs = performance.now()
    if (this.#pump) this.#sampling = setInterval(() => this.#sample(), sampleMs)
    this.#pump?.begin()
  }

  /** What this system knows about sending up; the server reports the same about down. */
  #sample() {
    const info = tcpInfo(handleDescriptor(rawOf(this.#below)))
    if (info) this.#note(this.#up, info)
  }

  #note(side: FoundDirection, info: TcpInfo) {
    const atMs = Math.round(performance.now() - this.#beganMs)
    side.tcp ??= []
    const before = side.tcp.at(-1)?.retransmits ?? 0
    this.#count('segmentsAgain', Math.max(0, info.retransmits - before))
    this.#count('tcpSamples', 1)
    this.#count('tcpRttUs', info.rttUs)
    this.#count('tcpWindowBytes', info.windowBytes)
    if (side.tcp.length < samplesMax) side.tcp.push({ atMs, ...info })
  }

  /** Nothing more is sent; the server reports, and ends. */
  end(): void {
    this.#pump?.end()
    if (this.#over || this.#stream.destroyed || this.#stream.writableEnded) return
    // The server knows when to end, or sends until the client has gone.
    if (!this.#hello && this.#task.durationMs === Infinity) return this.destroy()
    if (!this.#hello) return
    this.#stream.write(writeFrame(frameKinds.end, { sentBytes: this.#pump?.sentBytes ?? 0 }))
  }

  /** The drain is over. */
  giveUp(): void {
    if (this.#over) return
    this.#unfinished = true
    this.destroy()
  }

  destroy(): void {
    this.#over = true
    this.#pump?.end()
    this.#stream.destroy()
  }

  get found(): FoundFlow {
    const { direction } = this.#task
    this.#up.sentBytes = this.#pump?.sentBytes ?? 0
    return {
      flow: this.#number,
      up: direction === 'down' ? undefined : this.#up,
      down: direction === 'up' ? undefined : this.#down,
      unfinished: this.#unfinished,
      failure: this.#failure,
      reason: this.#reason,
    }
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
    if (this.#opening) return this.#opening.fail(this.#notServed('answers something else.'))
    // Bytes were changed on the way, or are missing.
    this.#broke('wrongBytes', broken)
  }

  onPayload(chunk: Buffer, from: number, to: number): void {
    this.#count('bytesVerified', to - from)
    const wrong = this.#receiver?.take(chunk, from, to) ?? 0
    if (wrong > 0) this.#count('wrongBytes', 1)
  }

  onFrame<K extends keyof Bodies>(kind: K, body: Bodies[K]): void {
    if (kind === frameKinds.accepted) this.#opening?.accept()
    else if (kind === frameKinds.refused) this.#onRefused((body as { reason: unknown }).reason)
    else if (kind === frameKinds.report) this.#onReport(body as Report)
    else if (kind === frameKinds.sending) this.#note(this.#down, body as TcpInfo)
    else if (kind === frameKinds.end) this.#onOver((body as { sentBytes: number }).sentBytes)
  }

  #onRefused(said: unknown) {
    const reason = printable(String(said))
    if (this.#opening) this.#opening.fail(this.#notServed(`says that ${reason}.`, ''))
    else this.#broke('wrongBytes', `the server found that ${reason}`)
  }

  #onReport(report: Report) {
    if (!isReadable(report))
      return this.#broke('protocol', 'the report of the server makes no sense')
    const before = this.#up.report?.bytes ?? 0
    this.#count('bytesConfirmed', report.bytes - before)
    this.#up.report = report
    this.#up.marks.push([report.atMs, report.bytes])
  }

  #onOver(sentBytes: number) {
    this.#over = true
    this.#down.sentBytes = sentBytes
    this.#stream.end()
    if ((this.#up.report?.wrongBytes ?? 0) > 0) this.#count('wrongBytes', 1)
  }

  #mark() {
    const { bytes, atMs } = this.#receiver!.report
    if (bytes !== (this.#down.marks.at(-1)?.[1] ?? 0)) this.#down.marks.push([atMs, bytes])
  }

  #onEnd() {
    if (this.#opening) this.#opening.fail(this.#notServed('closed the connection.'))
    else if (!this.#over) this.#broke('closedEarly')
  }

  #fail(error: Error) {
    if (this.#opening) return this.#opening.fail(explain('connect to', this.#task.address, error))
    if (!this.#over) this.#broke(failureName(error), reasonWhy(error))
  }

  #broke(name: FailureName, reason?: string) {
    this.#failure = name
    this.#reason = reason
    this.#count(name, 1)
    this.destroy()
  }

  #onClosed() {
    this.#over = true
    this.#pump?.end()
    clearInterval(this.#marking)
    clearInterval(this.#sampling)
    if (this.#receiver) {
      this.#mark()
      this.#down.report = this.#receiver.lastReport
    }
    this.#count('closed', 1)
  }

  #count(name: CounterName, by: number) {
    this.#counters[counter[name]]! += by
  }
}
