/** A thread that serves one client at a time, with calls that block: accept, recv, send, close. */
import { parentPort, workerData } from 'node:worker_threads'
import type { Ending } from '../../metrics/ledger.ts'
import { counter, stopWord } from '../../metrics/meter.ts'
import { failureName } from '../failures.ts'
import { descriptorRetryMs } from '../os/descriptors.ts'
import { loadLibc, systemError, type Libc } from '../os/libc.ts'
import { peerOf } from '../os/peer-name.ts'
import {
  MSG_NOSIGNAL,
  SHUT_WR,
  SOCK_CLOEXEC,
  SOL_SOCKET,
  SO_RCVTIMEO,
  SO_SNDTIMEO,
} from '../os/kernel-numbers.ts'
import { isDrainOver, nextStep, quietMs } from '../leave.ts'

/** What such a thread gets at its start. */
export interface ClientThreadInput {
  listenFd: number
  /** The thread's own counters; it is their only writer. */
  counters: Float64Array
  /** One word: how to stop. */
  stop: Int32Array
  /** How many clients it serves, one after the other. */
  clients: number
  idleTimeoutMs: number
  drainMs: number
  /** One word: the client to cut off; undefined without a ledger. */
  kill: Int32Array | undefined
}

/**
 * What the thread reports of each client if there is a ledger. Instants are milliseconds since
 * 1970.
 */
export interface ClientBegins {
  /** The client's number among those of this thread. */
  number: number
  /** `host:port`; empty for a unix socket. */
  peer: string
  openedAt: number
  /** What the thread had counted before this client. */
  inBefore: number
  outBefore: number
}

export interface ClientEnds {
  ending: Ending
  closedAt: number
  /** What the thread has counted by now. */
  bytesIn: number
  bytesOut: number
}

/**
 * The messages of a thread: whether it waits for a client, and what it reports of the present one.
 */
export type FromClientThread = 'waiting' | 'serving' | ClientBegins | ClientEnds

/**
 * The time after which a blocked call returns with EAGAIN, so that its thread can check whether to
 * stop.
 */
const callTimeoutMs = 100

const input = workerData as ClientThreadInput
const { counters, stop, kill } = input
const libc = loadLibc() as Libc
const buffer = Buffer.allocUnsafeSlow(65_536)
/** When this thread noticed that it is time to leave. */
let leavingSinceMs: number | undefined

// accept() has a timeout too: a thread that is blocked for ever could not be ended.
setTimeouts(input.listenFd, callTimeoutMs)
/** The number of the present client, counted from 1. */
let number = 0
while (number < input.clients) {
  if (number > 0) post('waiting')
  const fd = accept()
  if (fd === -1) break
  number++
  post('serving')
  if (kill) reportBegin(fd)
  counters[counter.opened]!++
  setTimeouts(fd, callTimeoutMs)
  const failure = echo(fd) ?? (stopping() === stopWord.drain ? finish(fd) : undefined)
  libc.close(fd)
  if (failure !== undefined && failure !== 'given up' && failure !== 'killed') count(failure)
  if (kill) reportEnd(failure)
  counters[counter.closed]!++
}
parentPort!.close()

function post(message: FromClientThread) {
  parentPort!.postMessage(message)
}

function reportBegin(fd: number) {
  // sockaddr_storage, and its size.
  const [name, size] = [Buffer.alloc(128), Buffer.alloc(4)]
  size.writeUInt32LE(name.length)
  const peer = libc.getpeername(fd, name, size) === 0 ? peerOf(name) : ''
  const { [counter.bytesIn]: inBefore, [counter.bytesOut]: outBefore } = counters
  post({ number, peer, openedAt: Date.now(), inBefore: inBefore!, outBefore: outBefore! })
}

function reportEnd(failure: string | undefined) {
  const { [counter.bytesIn]: bytesIn, [counter.bytesOut]: bytesOut } = counters
  const inGoodOrder = failure === undefined || failure === 'given up'
  const isOurs = failure === 'idle' || failure === 'killed'
  const ending = inGoodOrder ? 'closed' : isOurs ? failure : failureName(systemError(failure))
  post({ ending, closedAt: Date.now(), bytesIn: bytesIn!, bytesOut: bytesOut! })
}

/** A reader of the ledger has asked to close this connection. */
function killed(): boolean {
  return kill !== undefined && Atomics.load(kill, 0) === number
}

function stopping(): number {
  return Atomics.load(stop, 0)
}

function count(errorName: string) {
  counters[
    errorName === 'idle' ? counter.idleClosed : counter[failureName(systemError(errorName))]
  ]!++
}

/** Whether the drain is over, so that the client is cut off. */
function isOver(): boolean {
  if (stopping() === stopWord.drain) leavingSinceMs ??= performance.now()
  if (leavingSinceMs === undefined) return false
  return isDrainOver({ drainMs: input.drainMs, leavingMs: performance.now() - leavingSinceMs })
}

/** The next client, or -1 when there will be none. */
function accept(): number {
  while (stopping() === stopWord.run) {
    const fd = libc.accept4(input.listenFd, null, null, SOCK_CLOEXEC)
    if (fd >= 0) return fd
    const error = libc.errorName()
    // EINVAL: the listener was shut down. Other errors may be temporary.
    if (error === 'EINVAL' || error === 'EBADF') return -1
    if (isPassing(error) || error === 'ECONNABORTED') continue
    if (error === 'EMFILE' || error === 'ENFILE') counters[counter.pausedForDescriptors]!++
    Atomics.wait(stop, 0, stopWord.run, descriptorRetryMs)
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

/**
 * Echoes until FIN, or until it is time to stop. Returns the name of what went wrong, if it did.
 */
function echo(fd: number): string | undefined {
  let silentMs = 0
  /**
   * When this thread first looked at the client after the stop. By then the client has taken what
   * was sent to it before.
   */
  let lookedAtMs: number | undefined
  while (stopping() !== stopWord.now) {
    if (killed()) return 'killed'
    const length = libc.recv(fd, buffer, buffer.length, 0)
    if (length === 0) return undefined
    const isQuiet = length < 0 && lookedAtMs !== undefined
    if (length > 0) {
      silentMs = 0
      const failure = sendAll(fd, length)
      if (failure !== undefined) return failure
    } else {
      const error = libc.errorName()
      if (!isPassing(error)) return error
      if (!isQuiet) silentMs += callTimeoutMs
      if (input.idleTimeoutMs > 0 && silentMs >= input.idleTimeoutMs) return 'idle'
    }
    if (stopping() !== stopWord.drain) continue
    const nowMs = performance.now()
    if (lookedAtMs === undefined) setTimeouts(fd, quietMs)
    lookedAtMs ??= nowMs
    const time = { drainMs: input.drainMs, leavingMs: nowMs - lookedAtMs }
    if (nextStep(time, { isQuiet, isTold: false }) === 'tell') return undefined
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
    if (killed()) return 'killed'
    if (stopping() === stopWord.now || isOver()) return 'given up'
    silentMs += callTimeoutMs
    if (input.idleTimeoutMs > 0 && silentMs >= input.idleTimeoutMs) return 'idle'
  }
  return undefined
}

/** Sends FIN, and reads whatever still comes: the system would answer unread bytes with RST. */
function finish(fd: number): 'killed' | undefined {
  libc.shutdown(fd, SHUT_WR)
  while (stopping() === stopWord.drain && !isOver()) {
    if (killed()) return 'killed'
    const length = libc.recv(fd, buffer, buffer.length, 0)
    if (length > 0) counters[counter.bytesDiscarded]! += length
    else if (length === 0 || !isPassing(libc.errorName())) return undefined
  }
  return undefined
}
