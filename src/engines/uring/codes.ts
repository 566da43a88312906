/** What entries and completions of the echo server say, and what a connection can be. */
import * as k from './kernel.ts'

// Bits of a connection's state; 0 is a slot that is not in use.
export const OPEN = 1
/** A receive is in flight. */
export const ARMED = 2
/** A send of bytes that were set aside is in flight. */
export const SENDING = 4
/** The peer has sent its last byte. */
export const ENDED = 8
/** Broken, or given up: nothing more is sent. */
export const DEAD = 16
/** Bytes are set aside; new ones go behind them. */
export const WAITING = 32
/** We take leave: what still comes is discarded. */
export const LEAVING = 64
/** Our FIN is on its way. */
export const FINISHED = 128

/** Kinds of completions, in the high bits of user_data's first word; below is the slot. */
export const kind = {
  ACCEPT: 1 << 24,
  RECV: 2 << 24,
  SEND: 3 << 24,
  REST: 4 << 24,
  TICK: 5 << 24,
  IGNORED: 6 << 24,
} as const
export const SLOT = (1 << 24) - 1

/** With so much set aside, a peer is not read from until it has read. */
export const asideMaxBytes = 131_072

// Entries: opcode, flags, ioprio.
const { FIXED_FILE, BUFFER_SELECT, CQE_SKIP_SUCCESS } = k.sqe
export const RECV = k.op.RECV | ((FIXED_FILE | BUFFER_SELECT) << 8) | (k.RECV_MULTISHOT << 16)
export const SEND = k.op.SEND | ((FIXED_FILE | CQE_SKIP_SUCCESS) << 8)
export const REST = k.op.SEND | (FIXED_FILE << 8)
export const CLOSE = k.op.CLOSE | (CQE_SKIP_SUCCESS << 8)
export const CANCEL = k.op.ASYNC_CANCEL | (CQE_SKIP_SUCCESS << 8)
export const SHUTDOWN = k.op.SHUTDOWN | (FIXED_FILE << 8)
export const SHUT_WR = 1
export const FIRE = k.MSG_DONTWAIT | k.MSG_WAITALL | k.MSG_NOSIGNAL
export const PATIENT = k.MSG_WAITALL | k.MSG_NOSIGNAL
