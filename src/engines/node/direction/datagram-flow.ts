/** One flow of the client over datagrams: a socket, from its hello to the last report. */
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:dgram'
import { DatagramReceiver } from '../../../load/direction/datagram-receiver.ts'
import { DatagramSender } from '../../../load/direction/datagram-sender.ts'
import type { FoundFlow } from '../../../load/direction/thread-flows.ts'
import type { Payload } from '../../../load/payload.ts'
import { counter, type CounterName, type FailureName, type Meter } from '../../../metrics/meter.ts'
import type { FlowTask } from '../../../task.ts'
import { formatDuration } from '../../../vocabulary/units.ts'
import { magic, writeHello } from '../../../wire/direction/hello.ts'
import { isReport, type Report } from '../../../wire/direction/trace.ts'
import { headKey } from '../../../wire/udp/payload-head.ts'
import {
  datagramKinds,
  isCookie,
  isOfClient,
  otherHeadBytes,
  padded,
  questionBytes,
  readOther,
  readPiece,
  reportMaxBytes,
  separated,
  wordOf,
  writeOther,
} from '../../../wire/udp/session.ts'
import { explain, failureName, reasonWhy } from '../../failures.ts'
import { receiveJoined } from '../../os/datagram-joined.ts'
import { DatagramTrain } from '../../os/datagram-train.ts'
import { systemError } from '../../os/libc.ts'
import { descriptorOf } from '../../os/datagram-descriptor.ts'
import { FlowRecord } from './flow-record.ts'
import { RepeatedQuestion } from './repeated-question.ts'
import { DatagramPump, togetherFrom } from './datagram-pump.ts'
import { lateUs } from './datagram-serve.ts'
import { sumsOf, whyNoReport, whyNoSum, whyShort, type Sums } from './claims.ts'
import { notServed, refusedBy } from './not-served.ts'
import { reportOf } from './reported.ts'

/** How often the server is told to go on. */
const aliveMs = 200
const senseless = 'the report of the server makes no sense'

export class DatagramFlow {
  readonly closed: Promise<void>
  readonly #task: FlowTask
  readonly #number: number
  readonly #socket: Socket
  readonly #counters: Float64Array
  readonly #id = randomBytes(16).toString('hex')
  readonly #word = wordOf(this.#id)
  readonly #sender: DatagramSender | undefined
  readonly #pump: DatagramPump | undefined
  readonly #receiver: DatagramReceiver | undefined
  readonly #asking = new RepeatedQuestion(datagram => this.#send(datagram))
  readonly #record: FlowRecord
  #living: NodeJS.Timeout | undefined
  #fail: ((error: Error) => void) | undefined
  #close!: () => void
  /** Whether the system may deliver several datagrams as one. */
  #isJoined = false
  #over = false

  constructor(task: FlowTask, number: number, socket: Socket, payload: Payload, meter: Meter) {
    this.#task = task
    this.#number = number
    this.#socket = socket
    this.#counters = meter.counters
    this.closed = new Promise(resolve => (this.#close = resolve))
    const { direction, seed, sizeBytes, ratePerSecond, warmupMs } = task
    const key = headKey(this.#word, seed, number)
    const stream = { payload, flow: number, key, sizeBytes }
    if (direction !== 'down') {
      this.#sender = new DatagramSender(stream, { ratePerSecond: ratePerSecond!, warmupMs })
      this.#pump = new DatagramPump(this.#sender, {
        send: datagram => this.#send(datagram),
        get queued() {
          return socket.getSendQueueCount()
        },
        train: () => DatagramTrain.to(sizeBytes),
        descriptor: descriptorOf(socket),
        failed: code => this.#onError(systemError(code)),
        sent: bytes => this.#count('bytesOut', bytes),
      })
    }
    if (direction !== 'up')
      this.#receiver = new DatagramReceiver(stream, warmupMs, performance.now())
    this.#record = new FlowRecord(this.#receiver)
    socket.on('message', this.#onMessage)
    socket.on('error', error => this.#onError(error))
  }

  #send(datagram: Buffer) {
    this.#count('bytesOut', datagram.length)
    this.#socket.send(datagram, error => {
      if (error) this.#onError(error)
    })
  }

  /** Says hello, and again with the cookie. */
  async open(): Promise<void> {
    const { direction: mode, seed, sizeBytes, ratePerSecond, timeoutMs, warmupMs } = this.#task
    const about = {
      mode,
      id: this.#id,
      seed,
      flow: this.#number,
      sizeBytes,
      ratePerSecond,
      warmupMs,
    }
    const silence = `sent no answer within ${formatDuration(timeoutMs)}.`
    const refusal = (what: string) => notServed(this.#task.address, what)
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => this.#fail?.(refusal(silence)), timeoutMs)
      const settle = (how: () => void) => {
        clearTimeout(timer)
        this.#asking.stop()
        this.#fail = undefined
        how()
      }
      this.#fail = error => settle(() => reject(error))
      const hello = (cookie?: string) =>
        this.#asking.ask(
          padded(writeHello({ ...about, ...(cookie !== undefined && { cookie }) })),
          got => {
            if (got.indexOf(magic) === 0)
              this.#fail?.(refusal('echoes the session as it does any bytes.'))
            const body = readOther(got)
            const given = body?.['cookie']
            if (got[0] === datagramKinds.cookie && cookie === undefined && isCookie(given)) {
              hello(given)
              return true
            }
            if (got[0] === datagramKinds.refused && body)
              this.#fail?.(refusedBy(this.#task.address, body['reason']))
            if (got[0] !== datagramKinds.accepted || !body) return false
            settle(resolve)
            return true
          },
        )
      hello()
    })
  }

  begin(): void {
    if (this.#over) return
    const alive = writeOther(datagramKinds.alive, this.#word, {}, 512)
    this.#send(alive)
    this.#living = setInterval(() => this.#send(alive), aliveMs)
    if (this.#receiver) {
      const isFast = this.#task.ratePerSecond! >= togetherFrom
      this.#isJoined = isFast && receiveJoined(descriptorOf(this.#socket))
    }
    this.#record.begin()
    this.#pump?.begin()
  }

  readonly #onMessage = (data: Buffer): void => {
    this.#count('bytesIn', data.length)
    const nowMs = performance.now()
    if (!this.#isJoined) return this.#take(data, nowMs)
    for (const datagram of separated(data, this.#task.sizeBytes, this.#word))
      this.#take(datagram, nowMs)
  }

  #take(data: Buffer, nowMs: number) {
    this.#count('chunks', 1)
    if (data.length < otherHeadBytes) return
    const before = this.#receiver?.bytes ?? 0
    const wrong = this.#receiver?.take(data, nowMs)
    if (wrong !== undefined) {
      this.#count('bytesVerified', this.#receiver!.bytes - before)
      if (wrong > 0) this.#count('wrongBytes', 1)
    } else if (data[0] === datagramKinds.report) this.#onReport(readOther(data))
    else if (isOfClient(data)) this.#lose('protocol', 'the server no longer knows the session')
    else this.#asking.take(data)
  }

  #onReport(report: Partial<Report> | undefined) {
    if (!report || this.#over || this.#task.direction === 'down' || !isReport(report)) return
    const whole = report as Report
    const { up } = this.#record
    const why = whyNoReport(whole, undefined, this.#sender?.bytes ?? 0)
    if (why !== undefined) return this.#lose('protocol', why)
    // A newer report has overtaken this one.
    if (!whole.end && whole.bytes < (up.report?.bytes ?? 0)) return
    this.#count('bytesConfirmed', Math.max(0, whole.bytes - (up.report?.bytes ?? 0)))
    up.report = whole
    if (whole.bytes > 0) up.marks.push([whole.atMs, whole.bytes])
  }

  /** Ends sending. Datagrams in flight arrive before the answer to this, in order or nearly so. */
  end(): void {
    this.#record.awaitsNoMore()
    this.#pump?.end()
    if (this.#over) return
    this.#asking.ask(writeOther(datagramKinds.end, this.#word, {}, 512), got => {
      const body = got[0] === datagramKinds.end ? readOther(got) : undefined
      if (!body) return false
      const sums = sumsOf(body)
      if (!sums) this.#lose('protocol', senseless)
      else if (this.#task.direction === 'down') this.#conclude(sums)
      else this.#askReport(sums, Buffer.alloc(0))
      return true
    })
  }

  /** The server has reported its sums, so the flow can end. */
  #conclude(sums: Sums) {
    const { down, awaitedMs } = this.#record
    const { sentBytes, measured } = sums
    Object.assign(down, { sentBytes, measured, lateUs: sums.lateUs })
    const came = this.#receiver?.lastReport
    const why =
      whyNoSum(sentBytes, came?.bytes ?? 0) ??
      whyNoSum(measured, came?.end?.datagrams?.measured ?? 0, 'datagrams')
    if (why !== undefined) return this.#lose('protocol', why)
    const short = this.#receiver && whyShort(sums, this.#task.ratePerSecond!, awaitedMs)
    if (short !== undefined) return this.#lose('timedOut', short)
    this.#finish()
  }

  /** Asks for the report piece by piece. */
  #askReport(sums: Sums, have: Buffer) {
    const from = have.length
    this.#asking.ask(writeOther(datagramKinds.ask, this.#word, { from }, questionBytes), got => {
      const piece = got[0] === datagramKinds.piece ? readPiece(got) : undefined
      if (piece?.from !== from) return false
      const all = Buffer.concat([have, piece.bytes])
      const isMore = all.length < piece.total && piece.bytes.length > 0
      if (isMore && piece.total <= reportMaxBytes) this.#askReport(sums, all)
      else this.#onLastReport(sums, all)
      return true
    })
  }

  #onLastReport(sums: Sums, bytes: Buffer) {
    const report = reportOf(bytes)
    if (!report) return this.#lose('protocol', senseless)
    this.#onReport(report)
    if (this.#over) return
    const sent = this.#sender?.measured ?? 0
    const { measured = 0 } = report.end?.datagrams ?? {}
    if (measured > sent)
      return this.#lose('protocol', `the server says that ${measured} came of ${sent} datagrams`)
    if (report.wrongBytes > 0) this.#count('wrongBytes', 1)
    this.#conclude(sums)
  }

  giveUp(): void {
    if (this.#over) return
    this.#lose('timedOut', 'no last report came from the server: it stopped, or was not heard')
  }

  destroy(): void {
    if (!this.#over) this.#record.unfinished = true
    this.#finish()
  }

  #finish() {
    if (this.#over) return
    this.#over = true
    this.#pump?.end()
    this.#asking.stop()
    clearInterval(this.#living)
    this.#record.close()
    this.#count('closed', 1)
    this.#socket.close(() => this.#close())
  }

  #onError(error: Error) {
    if (this.#fail) return this.#fail(explain('connect to', this.#task.address, error))
    if (this.#over) return
    this.#lose(failureName(error), reasonWhy(error))
  }

  /** Ends the session because something broke it. */
  #lose(name: FailureName, reason?: string) {
    if (this.#over) return
    this.#record.broke(name, reason)
    this.#count(name, 1)
    this.#finish()
  }

  get found(): FoundFlow {
    if (this.#sender) {
      const { bytes: sentBytes, measured } = this.#sender
      Object.assign(this.#record.up, { sentBytes, measured, lateUs: lateUs(this.#sender) })
    }
    return this.#record.found(this.#number, this.#task.direction)
  }

  #count(name: CounterName, by: number) {
    this.#counters[counter[name]]! += by
  }
}
