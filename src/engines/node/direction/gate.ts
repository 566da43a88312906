/**
 * Serves sessions in band as well as the echo: the first bytes of a connection decide which it is.
 */
import type { Socket } from 'node:net'
import { counter, type Meter } from '../../../metrics/meter.ts'
import { frameKinds, writeFrame } from '../../../wire/direction/frames.ts'
import {
  readHello,
  sessionVersion,
  type Beginning,
  type Hello,
} from '../../../wire/direction/hello.ts'
import { afterTimeout } from '../core/patience.ts'
import type { AcceptedSocket, EchoHandler } from '../core/protocol.ts'
import { failureName } from '../../failures.ts'
import { beginSession } from './serve.ts'
import { traceEcho } from './traced.ts'

/** The gate, session or echo that has a connection now, and is told when the server leaves. */
interface Owner {
  finish(): void
}

interface Options {
  meter: Meter
  /** How long the rest of a hello may take. */
  timeoutMs: number
  /** Whether connections are only echoed for now, since faults may end them before a byte comes. */
  bypassed: () => boolean
}

/** An echo that also serves sessions. The bytes of an echo are never held back. */
export function withSessions(echo: EchoHandler, options: Options): EchoHandler {
  const owners = new WeakMap<Socket, Owner>()
  return {
    start(socket, accepted) {
      if (options.bypassed()) return echo.start(socket, accepted)
      const gate = new Gate(socket, accepted, echo, options, owner => owners.set(socket, owner))
      gate.open()
    },
    finish(socket) {
      const owner = owners.get(socket)
      if (owner) owner.finish()
      else echo.finish(socket)
    },
  }
}

/** A connection that may still become an echo or a session. */
class Gate implements Owner {
  readonly #socket: Socket
  readonly #accepted: AcceptedSocket | undefined
  readonly #echo: EchoHandler
  readonly #options: Options
  readonly #own: (owner: Owner) => void
  #bytes: Buffer = Buffer.alloc(0)
  #stopTimer = () => {}

  constructor(
    socket: Socket,
    accepted: AcceptedSocket | undefined,
    echo: EchoHandler,
    options: Options,
    own: (owner: Owner) => void,
  ) {
    this.#socket = socket
    this.#accepted = accepted
    this.#echo = echo
    this.#options = options
    this.#own = own
  }

  open(): void {
    this.#own(this)
    this.#socket.on('data', this.#onData).on('end', this.#onEnd).on('error', this.#onError)
  }

  readonly #onData = (chunk: Buffer): void => {
    const bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk])
    const found = readHello(bytes)
    if (found.kind === 'other') return this.#leaveToEcho(chunk)
    this.#bytes = bytes
    if (found.kind === 'perhaps') return this.#echoBytes(chunk)
    if (found.kind === 'incomplete') return this.#await()
    this.#leave()
    this.#count('bytesIn', chunk.length)
    if (found.kind === 'hello') this.#begin(found.hello, bytes.subarray(found.bytes))
    else this.#refuse(found)
  }

  /**
   * Echoes bytes before it is known whether a session begins: an echo must not wait for bytes that
   * may never come.
   */
  #echoBytes(chunk: Buffer) {
    this.#count('chunks', 1)
    this.#count('bytesIn', chunk.length)
    this.#count('bytesOut', chunk.length)
    this.#socket.write(chunk)
  }

  #await() {
    this.#stopTimer()
    this.#stopTimer = afterTimeout(this.#options.timeoutMs, () => {
      this.#count('handshakesFailed', 1)
      this.#count('timedOut', 1)
      this.#socket.destroy()
    })
  }

  readonly #onEnd = (): void => void this.#socket.end()
  readonly #onError = (error: Error): void => {
    this.#stopTimer()
    this.#count(failureName(error), 1)
  }

  #count(name: keyof typeof counter, by: number) {
    this.#options.meter.counters[counter[name]]! += by
  }

  #leave() {
    this.#stopTimer()
    this.#socket.off('data', this.#onData).off('end', this.#onEnd).off('error', this.#onError)
  }

  #leaveToEcho(chunk: Buffer) {
    this.#leave()
    const finish = () => this.#echo.finish(this.#socket)
    this.#own({ finish })
    this.#echo.start(this.#socket, this.#accepted)
    if (chunk.length > 0) this.#socket.unshift(chunk)
    this.#socket.resume()
  }

  #begin(hello: Hello, rest: Buffer) {
    const { meter } = this.#options
    const accepted = this.#accepted
    const raw = accepted?.raw ?? this.#socket
    const connection = { socket: this.#socket, raw, forwarded: accepted?.forwarded, meter }
    if (hello.mode === 'echo') {
      this.#count('sessions', 1)
      traceEcho(hello, connection)
      return this.#leaveToEcho(rest)
    }
    this.#own({ finish: beginSession(hello, connection, rest) })
  }

  #refuse(found: Exclude<Beginning, { kind: 'hello' }>) {
    this.#count('handshakesFailed', 1)
    this.#count('protocol', 1)
    const reason =
      found.kind === 'version'
        ? `this server speaks version ${sessionVersion} of the session, not ${found.version}`
        : `the session makes no sense: ${found.kind === 'malformed' ? found.reason : found.kind}`
    this.#socket.on('error', () => {}).on('data', () => {})
    this.#socket.end(writeFrame(frameKinds.refused, { reason }))
  }

  finish(): void {
    this.#leave()
    this.#socket.on('error', () => {}).on('data', () => {})
    this.#socket.end()
    this.#socket.resume()
  }
}
