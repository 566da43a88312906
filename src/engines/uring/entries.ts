/** The entries of the ring, a function for each, and the kinds of completions. */
import * as k from './kernel.ts'
import type { Ring } from './ring.ts'
import { MSG_DONTWAIT, MSG_NOSIGNAL, MSG_WAITALL, SHUT_WR } from '../os/kernel-numbers.ts'

const TWO32 = 2 ** 32

/**
 * Kinds of completions (127 at most). The compiler asks the server for a case of each kind. Loads
 * and datagrams have cases for the kinds that they use, and list the others by name.
 */
export const kind = {
  ACCEPT: 1,
  RECV: 2,
  SEND: 3,
  REST: 4,
  TICK: 5,
  IGNORED: 6,
  CONNECT: 7,
  INSTALLED: 8,
  INSTALLED_FOR_BULK: 9,
  POLL: 10,
  FINISHED: 11,
} as const
export type Completion = (typeof kind)[keyof typeof kind]

/**
 * The first word of user_data: the kind in its high bits, below it the slot; the second word has
 * the generation of the slot's connection. For a SEND the second word has the parity of the turn,
 * and the place in its list. To cancel an entry, give both its words.
 */
export const tag = (kind: Completion, slot = 0): number => (kind << 24) | slot
export const completionOf = (user0: number): Completion => (user0 >>> 24) as Completion
export const slotOf = (user0: number): number => user0 & 0xffffff

type NameOf<K extends Completion> = {
  [Name in keyof typeof kind]: (typeof kind)[Name] extends K ? Name : never
}[keyof typeof kind]

// Does not compile if two kinds have the same number, since the compiler would not ask for a case
// of one of them.
kind satisfies {
  [Name in keyof typeof kind]: NameOf<(typeof kind)[Name]> extends Name ? number : never
}

/** For the default of a `switch`: does not compile if a kind has no case, and names the kind. */
export function unknownKind<K extends Completion>(
  kind: K & ([K] extends [never] ? never : { 'add a case for': NameOf<K> }),
): never {
  throw new Error(`There is no completion of kind ${String(kind)}.`)
}

type NumberOf<Names extends keyof typeof kind> = (typeof kind)[Names]

/**
 * Kinds that only the server of streams uses, or that need no handling. Write `satisfies
 * Unanswered` in the default of a `switch` elsewhere: a new kind then does not compile before it
 * has a case there, or is listed here.
 */
export type Unanswered = NumberOf<ServersOwn | 'FINISHED' | 'IGNORED'>
type ServersOwn = 'ACCEPT' | 'INSTALLED' | 'INSTALLED_FOR_BULK' | 'POLL'

const { FIXED_FILE, BUFFER_SELECT, CQE_SKIP_SUCCESS } = k.sqe

// The first word of an entry: opcode, flags << 8, ioprio << 16.
const ACCEPT_ONE = k.op.ACCEPT
const ACCEPT_ALL = k.op.ACCEPT | (k.ACCEPT_MULTISHOT << 16)
const RECV = k.op.RECV | ((FIXED_FILE | BUFFER_SELECT) << 8) | (k.RECV_MULTISHOT << 16)
const RECVMSG = k.op.RECVMSG | ((FIXED_FILE | BUFFER_SELECT) << 8) | (k.RECV_MULTISHOT << 16)
const SENDMSG_AT_ONCE = k.op.SENDMSG | ((FIXED_FILE | CQE_SKIP_SUCCESS) << 8)
const SEND_AT_ONCE = k.op.SEND | ((FIXED_FILE | CQE_SKIP_SUCCESS) << 8)
const SEND = k.op.SEND | (FIXED_FILE << 8)
const CONNECT = k.op.CONNECT | (FIXED_FILE << 8)
const SHUTDOWN = k.op.SHUTDOWN | (FIXED_FILE << 8)
const INSTALL = k.op.FIXED_FD_INSTALL | (FIXED_FILE << 8)
const POLL = k.op.POLL_ADD | (FIXED_FILE << 8)
const CLOSE = k.op.CLOSE | (CQE_SKIP_SUCCESS << 8)
const CANCEL = k.op.ASYNC_CANCEL | (CQE_SKIP_SUCCESS << 8)

const AT_ONCE = MSG_DONTWAIT | MSG_WAITALL | MSG_NOSIGNAL
const WHOLE_AT_ONCE = MSG_DONTWAIT | MSG_NOSIGNAL
const PATIENTLY = MSG_WAITALL | MSG_NOSIGNAL

/** Accepts the next client, or all that come, into free slots of the table. */
export function accept(ring: Ring, listenFd: number, all: boolean): void {
  const at = ring.push(all ? ACCEPT_ALL : ACCEPT_ONE, listenFd, 0, 0, 0, tag(kind.ACCEPT), 0)
  ring.sqes[at + 11] = k.FILE_INDEX_ALLOC
}

/** Receives into buffers of the ring, until it is cancelled or the stream ends. */
export function receive(ring: Ring, slot: number, generation: number): void {
  ring.push(RECV, slot, 0, 0, 0, tag(kind.RECV, slot), generation)
}

/** Receives datagrams with their sources, by the msghdr at `address`, until it is cancelled. */
export function receiveMessages(
  ring: Ring,
  slot: number,
  address: number,
  generation: number,
): void {
  ring.push(RECVMSG, slot, address, 1, 0, tag(kind.RECV, slot), generation)
}

/** Sends without waiting; completes only if not all bytes could be sent. */
export function sendAtOnce(
  ring: Ring,
  slot: number,
  address: number,
  length: number,
  turn: number,
  index: number,
): void {
  ring.push(SEND_AT_ONCE, slot, address, length, AT_ONCE, tag(kind.SEND, turn & 1), index)
}

/**
 * Sends a datagram to the sockaddr at `name`, which has `nameBytes` bytes, or 0 if the socket is
 * connected; completes only if it could not be sent. `user1` identifies the datagram.
 */
export function sendDatagram(
  ring: Ring,
  slot: number,
  name: number,
  nameBytes: number,
  address: number,
  length: number,
  user0: number,
  user1: number,
): void {
  const at = ring.push(SEND_AT_ONCE, slot, address, length, WHOLE_AT_ONCE, user0, user1)
  const { sqes } = ring
  // addr2 and addr_len.
  sqes[at + 2] = name | 0
  sqes[at + 3] = name / TWO32
  sqes[at + 11] = nameBytes
}

/** Sends the msghdr at `address`, in the same way. */
export function sendMessage(
  ring: Ring,
  slot: number,
  address: number,
  user0: number,
  user1: number,
): void {
  ring.push(SENDMSG_AT_ONCE, slot, address, 1, WHOLE_AT_ONCE, user0, user1)
}

/** Changes the entry at `at`, so that it sends the msghdr at `address`. */
export function becomeMessage(ring: Ring, at: number, address: number): void {
  const { sqes } = ring
  sqes[at] = SENDMSG_AT_ONCE
  sqes[at + 2] = 0
  sqes[at + 3] = 0
  sqes[at + 4] = address | 0
  sqes[at + 5] = address / TWO32
  sqes[at + 6] = 1
  sqes[at + 11] = 0
}

/** Sends a datagram as soon as there is room for it, and completes. */
export function sendDatagramPatiently(
  ring: Ring,
  slot: number,
  name: number,
  nameBytes: number,
  address: number,
  length: number,
  user1: number,
): void {
  const at = ring.push(SEND, slot, address, length, MSG_NOSIGNAL, tag(kind.REST, slot), user1)
  const { sqes } = ring
  sqes[at + 2] = name | 0
  sqes[at + 3] = name / TWO32
  sqes[at + 11] = nameBytes
}

/**
 * Like sendAtOnce(), for a load, which sends at most once a turn on each connection. The second
 * word of user_data has the length, less than 64 kB, and above it the generation.
 */
export function sendOnce(
  ring: Ring,
  slot: number,
  address: number,
  length: number,
  generation: number,
): void {
  const user1 = (generation << 16) | length
  ring.push(SEND_AT_ONCE, slot, address, length, AT_ONCE, tag(kind.SEND, slot), user1)
}

/** Connects to the sockaddr at `address`, which has `bytes` bytes. */
export function connectTo(
  ring: Ring,
  slot: number,
  address: number,
  bytes: number,
  user1 = 0,
): void {
  const at = ring.push(CONNECT, slot, address, 0, 0, tag(kind.CONNECT, slot), user1)
  // addr2: the size of the name.
  ring.sqes[at + 2] = bytes
}

/** Sends, and waits until all is sent. */
export function send(
  ring: Ring,
  slot: number,
  address: number,
  length: number,
  generation = 0,
): void {
  ring.push(SEND, slot, address, length, PATIENTLY, tag(kind.REST, slot), generation)
}

/** Sends FIN, on a thread of the system; receiving goes on. */
export function finish(ring: Ring, slot: number): void {
  ring.push(SHUTDOWN, slot, 0, SHUT_WR, 0, tag(kind.FINISHED, slot), 0)
}

export function close(ring: Ring, slot: number): void {
  const at = ring.push(CLOSE, 0, 0, 0, 0, tag(kind.IGNORED), 0)
  // A direct descriptor is named by its slot, counted from one.
  ring.sqes[at + 11] = slot + 1
}

/** Gives a connection a descriptor in addition to its slot, which must be closed too. */
export function install(ring: Ring, slot: number, generation: number): void {
  ring.push(INSTALL, slot, 0, 0, 0, tag(kind.INSTALLED, slot), generation)
}

/** Like install(), for a large flow. */
export function installForBulk(ring: Ring, slot: number, generation: number): void {
  ring.push(INSTALL, slot, 0, 0, 0, tag(kind.INSTALLED_FOR_BULK, slot), generation)
}

/** Completes once, when one of these events is there, or an error. */
export function poll(ring: Ring, slot: number, generation: number, events: number): void {
  ring.push(POLL, slot, 0, 0, events, tag(kind.POLL, slot), generation)
}

/** Cancels the entry that was pushed with this user_data. */
export function cancel(ring: Ring, user0: number, user1 = 0): void {
  const at = ring.push(CANCEL, -1, 0, 0, 0, tag(kind.IGNORED), 0)
  ring.sqes[at + 4] = user0
  ring.sqes[at + 5] = user1
}

/** Completes again and again, at the interval in the timespec at `address`. */
export function tick(ring: Ring, address: number): void {
  ring.push(k.op.TIMEOUT, -1, address, 1, k.TIMEOUT_MULTISHOT, tag(kind.TICK), 0)
}
