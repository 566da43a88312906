/** What we say to the ring, a function for each entry; and how its answers are told apart. */
import * as k from './kernel.ts'
import type { Ring } from './ring.ts'
import { MSG_DONTWAIT, MSG_NOSIGNAL, MSG_WAITALL, SHUT_WR } from '../kernel-numbers.ts'

/**
 * Kinds of completions, in the high bits of user_data's first word (127 at most); below is the
 * slot, and in the second word the generation of its connection. In those of SEND it is the parity
 * of the turn, and the place in its list. To cancel, both words must be the same.
 */
export const kind = {
  ACCEPT: 1 << 24,
  RECV: 2 << 24,
  SEND: 3 << 24,
  REST: 4 << 24,
  TICK: 5 << 24,
  IGNORED: 6 << 24,
  CONNECT: 7 << 24,
  INSTALLED: 8 << 24,
  INSTALLED_FOR_BULK: 9 << 24,
  POLL: 10 << 24,
} as const
export const SLOT = (1 << 24) - 1

const { FIXED_FILE, BUFFER_SELECT, CQE_SKIP_SUCCESS } = k.sqe

// The first word of an entry: opcode, flags << 8, ioprio << 16.
const ACCEPT_ONE = k.op.ACCEPT
const ACCEPT_ALL = k.op.ACCEPT | (k.ACCEPT_MULTISHOT << 16)
const RECV = k.op.RECV | ((FIXED_FILE | BUFFER_SELECT) << 8) | (k.RECV_MULTISHOT << 16)
const SEND_AT_ONCE = k.op.SEND | ((FIXED_FILE | CQE_SKIP_SUCCESS) << 8)
const SEND = k.op.SEND | (FIXED_FILE << 8)
const CONNECT = k.op.CONNECT | (FIXED_FILE << 8)
const SHUTDOWN = k.op.SHUTDOWN | (FIXED_FILE << 8)
const INSTALL = k.op.FIXED_FD_INSTALL | (FIXED_FILE << 8)
const POLL = k.op.POLL_ADD | (FIXED_FILE << 8)
const CLOSE = k.op.CLOSE | (CQE_SKIP_SUCCESS << 8)
const CANCEL = k.op.ASYNC_CANCEL | (CQE_SKIP_SUCCESS << 8)

const AT_ONCE = MSG_DONTWAIT | MSG_WAITALL | MSG_NOSIGNAL
const PATIENTLY = MSG_WAITALL | MSG_NOSIGNAL

/** The next client, or all that come, into free slots of the table. */
export function accept(ring: Ring, listenFd: number, all: boolean): void {
  const at = ring.push(all ? ACCEPT_ALL : ACCEPT_ONE, listenFd, 0, 0, 0, kind.ACCEPT, 0)
  ring.sqes[at + 11] = k.FILE_INDEX_ALLOC
}

/** Whatever arrives, into buffers of the pool, until it is cancelled or the stream ends. */
export function receive(ring: Ring, slot: number, generation: number): void {
  ring.push(RECV, slot, 0, 0, 0, kind.RECV | slot, generation)
}

/** Without waiting; completes only if not all of it could be sent. */
export function sendAtOnce(
  ring: Ring,
  slot: number,
  address: number,
  length: number,
  turn: number,
  index: number,
): void {
  ring.push(SEND_AT_ONCE, slot, address, length, AT_ONCE, kind.SEND | (turn & 1), index)
}

/** The same for one who sends at most once a turn on each connection. */
export function sendOnce(ring: Ring, slot: number, address: number, length: number): void {
  ring.push(SEND_AT_ONCE, slot, address, length, AT_ONCE, kind.SEND | slot, length)
}

/** The address is that of a sockaddr of so many bytes. */
export function connect(ring: Ring, slot: number, address: number, bytes: number): void {
  const at = ring.push(CONNECT, slot, address, 0, 0, kind.CONNECT | slot, 0)
  // addr2: the size of the name.
  ring.sqes[at + 2] = bytes
}

/** However long it takes. */
export function send(ring: Ring, slot: number, address: number, length: number): void {
  ring.push(SEND, slot, address, length, PATIENTLY, kind.REST | slot, 0)
}

/** Says FIN; we go on to receive. */
export function finish(ring: Ring, slot: number): void {
  ring.push(SHUTDOWN, slot, 0, SHUT_WR, 0, kind.IGNORED, 0)
}

export function close(ring: Ring, slot: number): void {
  const at = ring.push(CLOSE, 0, 0, 0, 0, kind.IGNORED, 0)
  // A direct descriptor is named by its slot, counted from one.
  ring.sqes[at + 11] = slot + 1
}

/** Gives it a descriptor beside its slot, which must be closed too. */
export function install(ring: Ring, slot: number, generation: number): void {
  ring.push(INSTALL, slot, 0, 0, 0, kind.INSTALLED | slot, generation)
}

/** The same, for a flow. */
export function installForBulk(ring: Ring, slot: number, generation: number): void {
  ring.push(INSTALL, slot, 0, 0, 0, kind.INSTALLED_FOR_BULK | slot, generation)
}

/** Completes once, when one of these events is there, or an error. */
export function poll(ring: Ring, slot: number, generation: number, events: number): void {
  ring.push(POLL, slot, 0, 0, events, kind.POLL | slot, generation)
}

/** Cancels what was pushed with this user_data. */
export function cancel(ring: Ring, user0: number, user1 = 0): void {
  const at = ring.push(CANCEL, -1, 0, 0, 0, kind.IGNORED, 0)
  ring.sqes[at + 4] = user0
  ring.sqes[at + 5] = user1
}

/** Completes every so often; the address is that of one timespec. */
export function tick(ring: Ring, address: number): void {
  ring.push(k.op.TIMEOUT, -1, address, 1, k.TIMEOUT_MULTISHOT, kind.TICK, 0)
}
