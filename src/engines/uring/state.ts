/** Bits of a connection's state; 0: the slot is not in use. */

export const OPEN = 1
/** A receive is in flight. */
export const ARMED = 2
/** A send of unsent bytes is in flight. */
export const SENDING = 4
/** The peer has sent its last byte. */
export const ENDED = 8
/** Broken or closed: nothing more is sent. */
export const DEAD = 16
/** There are unsent bytes; new ones are appended. */
export const WAITING = 32
/** The server is closing the connection: later bytes are discarded. */
export const LEAVING = 64
/** Our FIN is on its way. */
export const FINISHED = 128
