/** A thread that serves one client at a time, with calls that block: accept, recv, send, close. */
import { parentPort, workerData } from 'node:worker_threads'
import { counter, stopWord } from '../../metrics/meter.ts'
import { failureName } from '../failures.ts'
import { loadLibc, systemError, type Libc } from '../libc.ts'

/** What such a thread begins with. */
export interface ClientThreadInput {
  listenFd: number
  /** Its own counters; nobody else writes them. */
  counters: Float64Array
  /** One word: how to stop. */
  stop: Int32Array
  /** How many clients it serves, one after the other. */
  clients: number
  idleTimeoutMs: number
  drainMs: number
}

/** Whether it waits for a client. */
export type FromClientThread = 'waiting' | 'serving'

const SOCK_CLOEXEC = 0o2000000
const MSG_NOSIGNAL = 0x4000
const SOL_SOCKET = 1
const SO_RCVTIMEO = 20
const SO_SNDTIMEO = 21
const SHUT_WR = 1

/** A blocked call returns after so long with EAGAIN, so that its thread can look around. */
const lookAroundMs = 100
/** While draining: so long without a byte, and what was under way has come. */
const quietMs = 20
/** Those who never fall silent are told after so long. */
const talkMs = 200
/** With all descriptors in use, until the next try. */
const retryMs = 100

const input = workerData as ClientThreadInput
const { counters, stop } = input
const libc = loadLibc() as Libc
const buffer = Buffer.allocUnsafeSlow(65_536)
let deadlineMs: number | undefined

// accept() looks around too: a thread that is blocked for ever could not be ended.
setTimeouts(input.listenFd, lookAroundMs)
for (let served = 0; served < input.clients; served++) {
  if (served > 0) say('waiting')
  const fd = accept()
  if (fd === -1) break
  say('serving')
  counters[counter.opened]!++
  setTimeouts(fd, lookAroundMs)
  const failure = echo(fd) ?? (stopping() === stopWord.drain ? sayGoodbye(fd) : undefined)
  libc.close(fd)
  if (failure !== undefined && failure !== 'given up') count(failure)
  counters[counter.closed]!++
}
parentPort!.close()

function say(message: FromClientThread) {
  parentPort!.postMessage(message)
}

function stopping(): number {
  return Atomics.load(stop, 0)
}

function count(errorName: string) {
  counters[
    errorName === 'idle' ? counter.idleClosed : counter[failureName(systemError(errorName))]
  ]!++
}

/** When a leaving server gives up a client, from the moment that this thread has heard of it. */
function deadline(): number {
  if (stopping() === stopWord.drain) deadlineMs ??= performance.now() + input.drainMs
  return deadlineMs ?? Infinity
}

/** The next client, or -1 when there will be none. */
function accept(): number {
  while (stopping() === stopWord.run) {
    const fd = libc.accept4(input.listenFd, null, null, SOCK_CLOEXEC)
    if (fd >= 0) return fd
    const error = libc.errorName()
    // The listener was shut down; anything else may pass.
    if (error === 'EINVAL' || error === 'EBADF') return -1
    if (isPassing(error) || error === 'ECONNABORTED') continue
    if (error === 'EMFILE' || error === 'ENFILE') counters[counter.pausedForDescriptors]!++
    Atomics.wait(stop, 0, stopWord.run, retryMs)
  }
  return -1
}

/** Errors after which the same call may succeed. */
function isPassing(error: string): boolean {
  return error === 'EAGAIN' || error === 'EINTR'
}

function setTimeouts(fd: number, ms: number) {
  // struct timeval: seconds and microseconds, 8 bytes each.
  const time = Buffer.alloc(16)
  time.writeUInt32LE(Math.floor(ms / 1000), 0)
  time.writeUInt32LE((ms % 1000) * 1000, 8)
  libc.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, time, 16)
  libc.setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, time, 16)
}

/** Echoes until FIN or until it is time to stop; else the name of what went wrong. */
function echo(fd: number): string | undefined {
  let silentMs = 0
  let talkUntilMs = Infinity
  while (stopping() !== stopWord.now) {
    const length = libc.recv(fd, buffer, buffer.length, 0)
    if (length === 0) return undefined
    if (length > 0) {
      silentMs = 0
      const failure = sendAll(fd, length)
      if (failure !== undefined) return failure
    } else {
      const error = libc.errorName()
      if (!isPassing(error)) return error
      if (talkUntilMs !== Infinity) return undefined
      silentMs += lookAroundMs
      if (input.idleTimeoutMs > 0 && silentMs >= input.idleTimeoutMs) return 'idle'
    }
    if (stopping() === stopWord.drain && talkUntilMs === Infinity) {
      talkUntilMs = performance.now() + Math.min(talkMs, input.drainMs / 2)
      setTimeouts(fd, quietMs)
    }
    if (performance.now() >= talkUntilMs) return undefined
  }
  return undefined
}

function sendAll(fd: number, length: number): string | undefined {
  counters[counter.chunks]!++
  counters[counter.bytesIn]! += length
  let silentMs = 0
  for (let at = 0; at < length;) {
    const sent = libc.send(fd, buffer.subarray(at, length), length - at, MSG_NOSIGNAL)
    if (sent > 0) {
      at += sent
      silentMs = 0
      counters[counter.bytesOut]! += sent
      continue
    }
    const error = libc.errorName()
    if (!isPassing(error)) return error
    if (stopping() === stopWord.now || performance.now() >= deadline()) return 'given up'
    silentMs += lookAroundMs
    if (input.idleTimeoutMs > 0 && silentMs >= input.idleTimeoutMs) return 'idle'
  }
  return undefined
}

/** FIN; then whatever still comes is read, or the system would answer it with RST. */
function sayGoodbye(fd: number): undefined {
  libc.shutdown(fd, SHUT_WR)
  while (stopping() === stopWord.drain && performance.now() < deadline()) {
    const length = libc.recv(fd, buffer, buffer.length, 0)
    if (length > 0) counters[counter.bytesDiscarded]! += length
    else if (length === 0 || !isPassing(libc.errorName())) return
  }
}
