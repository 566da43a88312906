/** Bits of a connection's state; 0 is a slot that is not in use. */

export const OPEN = 1
/** A receive is in flight. */
export const ARMED = 2
/** A send of unsent bytes is in flight. */
export const SENDING = 4
/** The peer has sent its last byte. */
export const ENDED = 8
/** Broken, or given up: nothing more is sent. */
export const DEAD = 16
/** There are unsent bytes; new ones go behind them. */
export const WAITING = 32
/** We are closing: what still comes is discarded. */
export const LEAVING = 64
/** Our FIN is on its way. */
export const FINISHED = 128
