/** The server's side of a session: verifies what comes, sends until it is told to stop, reports. */
import type { Duplex } from 'node:stream'
import { Receiver } from '../../../load/direction/receiver.ts'
import { Sender } from '../../../load/direction/sender.ts'
import { counter, type CounterName } from '../../../metrics/meter.ts'
import {
  frameKinds,
  SessionFrameReader,
  writeFrame,
  type Bodies,
  type FrameEvents,
} from '../../../wire/direction/frames.ts'
import { sizeMaxBytes, type Hello } from '../../../wire/direction/hello.ts'
import { countGarbage } from '../../garbage.ts'
import { tcpInfo } from '../../os/path-info.ts'
import { handleDescriptor } from '../core/listener.ts'
import { readInto } from '../core/read-into.ts'
import { failureName } from '../../failures.ts'
import { payloadOf } from './session-payload.ts'
import { sessions } from './registry.ts'
import { acceptedFrame, traceOf, type TracedConnection } from './traced.ts'
import { PagedOutlet } from './paged.ts'
import { Pump } from './pump.ts'

/** How often the server reports what it has received, while bytes come. */
const reportMs = 100
/** How often the server reports what its kernel knows of the connection. */
const tellMs = 1_000

/** Answers with the trace of another session, and ends. */
async function answerTrace(hello: Hello, connection: TracedConnection): Promise<void> {
  const { socket } = connection
  socket.on('error', () => {}).on('data', () => {})
  socket.write(acceptedFrame(connection))
  const trace = await sessions().trace(hello.id)
  if (!socket.writableEnded) socket.end(writeFrame(frameKinds.trace, { trace }))
}

/**
 * Any session but an echo.
 * @returns a function to call when the server leaves
 */
export function beginSession(hello: Hello, connection: TracedConnection, rest: Buffer): () => void {
  connection.meter.counters[counter.sessions]!++
  if (hello.mode === 'trace') {
    void answerTrace(hello, connection)
    return () => connection.socket.end()
  }
  const session = new ServedSession(hello, connection)
  session.begin(rest)
  return () => session.finish()
}

class ServedSession implements FrameEvents {
  readonly #socket: Duplex
  readonly #counters: Float64Array
  readonly #connection: TracedConnection
  readonly #hello: Hello
  readonly #receiver: Receiver | undefined
  readonly #pump: Pump | undefined
  readonly #reader: SessionFrameReader
  /** Each chunk has memory of its own, which is garbage afterwards. */
  #ownsChunks = true
  #reported = 0
  #reporting: NodeJS.Timeout | undefined
  #telling: NodeJS.Timeout | undefined
  #ended = false

  constructor(hello: Hello, connection: TracedConnection) {
    const { socket, meter } = connection
    this.#hello = hello
    this.#socket = socket
    this.#connection = connection
    this.#counters = meter.counters
    this.#reader = new SessionFrameReader(this)
    const payload = payloadOf(hello.seed)
    const { mode, flow, sizeBytes = sizeMaxBytes, ratePerSecond } = hello
    if (mode !== 'down') this.#receiver = new Receiver(payload, flow, performance.now())
    if (mode === 'up') return
    const sender = new Sender(payload, flow, { sizeBytes, ratePerSecond })
    const paged = PagedOutlet.over(socket, sender)
    const onBytes = (bytes: number) => this.#count('bytesOut', bytes)
    this.#pump = new Pump(socket, sender, { paged, onBytes })
  }

  /** @param rest what came behind the hello */
  begin(rest: Buffer): void {
    const socket = this.#socket
    socket.on('error', error => this.#count(failureName(error), 1))
    socket.on('close', () => this.#release())
    socket.on('end', () => this.#onEnd())
    this.#ownsChunks = !readInto(socket, this.#onData)
    if (this.#ownsChunks) socket.on('data', this.#onData)
    socket.write(acceptedFrame(this.#connection))
    traceOf(this.#hello, this.#connection)
    if (this.#receiver) this.#reporting = setInterval(() => this.#report(), reportMs)
    if (rest.length > 0) this.#onData(rest)
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#count('chunks', 1)
    this.#count('bytesIn', chunk.length)
    this.#receiver?.arrived(performance.now())
    this.#reader.push(chunk)
    if (this.#ownsChunks) countGarbage(chunk.length)
    const { broken } = this.#reader
    if (broken === undefined || this.#ended) return
    this.#count('protocol', 1)
    this.#finish(broken)
  }

  onPayload(chunk: Buffer, from: number, to: number): void {
    const wrong = this.#receiver?.take(chunk, from, to) ?? 0
    if (wrong > 0) this.#count('wrongBytes', 1)
  }

  onFrame(kind: keyof Bodies): void {
    if (kind === frameKinds.start) this.#start()
    // The client has sent everything.
    if (kind === frameKinds.end) this.#finish()
  }

  #start() {
    if (!this.#pump || this.#telling) return
    this.#telling = setInterval(() => this.#tell(), tellMs)
    this.#pump.begin()
  }

  /** Sends what the kernel knows about sending. */
  #tell() {
    const info = tcpInfo(handleDescriptor(this.#connection.raw))
    if (info && !this.#socket.writableEnded) this.#write(writeFrame(frameKinds.sending, info))
  }

  /** A FIN without an end frame: what came is still reported, if the client reads. */
  #onEnd() {
    this.#finish()
  }

  /**
   * Sends a report if there is something new. It is small, and shares the stream with the payload
   * that is sent down.
   */
  #report() {
    const { report } = this.#receiver!
    if (report.bytes === this.#reported || this.#socket.writableEnded) return
    this.#reported = report.bytes
    this.#write(writeFrame(frameKinds.report, report))
  }

  #finish(broken?: string) {
    if (this.#ended) return
    this.#ended = true
    this.#pump?.end()
    if (this.#socket.destroyed || this.#socket.writableEnded) return
    if (broken !== undefined) this.#write(writeFrame(frameKinds.refused, { reason: broken }))
    if (this.#receiver) this.#write(writeFrame(frameKinds.report, this.#receiver.lastReport))
    this.#write(writeFrame(frameKinds.end, { sentBytes: this.#pump?.sentBytes ?? 0 }))
    this.#socket.end()
    this.#stopTimers()
  }

  #write(frame: Buffer) {
    this.#pump?.flush()
    this.#count('bytesOut', frame.length)
    this.#socket.write(frame)
  }

  #release() {
    this.#stopTimers()
    this.#pump?.end()
  }

  #stopTimers() {
    clearInterval(this.#reporting)
    clearInterval(this.#telling)
  }

  /** The server leaves. */
  finish(): void {
    this.#finish()
  }

  #count(name: CounterName, by: number) {
    this.#counters[counter[name]]! += by
  }
}
