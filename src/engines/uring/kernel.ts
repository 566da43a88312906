/** Numbers of <linux/io_uring.h>, as of Linux 6.12. Data, no code. */
import { errno } from '../os/kernel-numbers.ts'

export const syscalls = { setup: 425, enter: 426, register: 427 } as const

/** io_uring_params, 120 bytes, and where the fields lie that we use. */
export const params = { bytes: 120, sqEntries: 0, cqEntries: 4, flags: 8, sqOff: 40, cqOff: 80 }
/** Within io_sqring_offsets and io_cqring_offsets. */
export const sqOffsets = { tail: 4, flags: 16 } as const
export const cqOffsets = { head: 0, tail: 4, cqes: 20 } as const
/** The offset for mmap(2) of the submission entries; 0 is that of both rings. */
export const OFF_SQES = 0x10000000

export const setup = {
  CQSIZE: 1 << 3,
  SUBMIT_ALL: 1 << 7,
  TASKRUN_FLAG: 1 << 9,
  SINGLE_ISSUER: 1 << 12,
  DEFER_TASKRUN: 1 << 13,
  NO_SQARRAY: 1 << 16,
} as const

export const enter = { GETEVENTS: 1, EXT_ARG: 1 << 3, REGISTERED_RING: 1 << 4 } as const
/** Bits of the submission ring's flags word. */
export const sq = { CQ_OVERFLOW: 1 << 1 } as const

export const register = {
  FILES_UPDATE: 6,
  FILES2: 13,
  RING_FDS: 20,
  UNREGISTER_RING_FDS: 21,
  PBUF_RING: 22,
}
export const RSRC_REGISTER_SPARSE = 1
/** A receive takes only as much of a provided buffer as it fills (since 6.12). */
export const PBUF_RING_INC = 2

export const op = {
  POLL_ADD: 6,
  SENDMSG: 9,
  RECVMSG: 10,
  TIMEOUT: 11,
  ACCEPT: 13,
  ASYNC_CANCEL: 14,
  CONNECT: 16,
  CLOSE: 19,
  SEND: 26,
  RECV: 27,
  SHUTDOWN: 34,
  FIXED_FD_INSTALL: 54,
} as const

/** Flags of a submission entry. */
export const sqe = { FIXED_FILE: 1, BUFFER_SELECT: 1 << 5, CQE_SKIP_SUCCESS: 1 << 6 } as const
/** Flags for the ioprio field of accept and recv. */
export const ACCEPT_MULTISHOT = 1
export const RECV_MULTISHOT = 2
/** A flag of a timeout. */
export const TIMEOUT_MULTISHOT = 1 << 6
/** A value of file_index: any free slot of the table. */
export const FILE_INDEX_ALLOC = -1

/** Flags of a completion. */
export const cqe = { MORE: 2, BUF_MORE: 16 } as const

const { AGAIN, INVAL, NOBUFS, CONNREFUSED } = errno
/** Errors that occur in normal operation. */
export const error = { AGAIN, INVAL, NOBUFS, CONNREFUSED } as const
const { PIPE, NETUNREACH, CONNABORTED, CONNRESET, NOTCONN, TIMEDOUT, HOSTUNREACH } = errno
/** Errors of a broken connection. */
export const broken: readonly number[] = [
  PIPE,
  NETUNREACH,
  CONNABORTED,
  CONNRESET,
  NOTCONN,
  TIMEDOUT,
  HOSTUNREACH,
]
export const ECANCELED = errno.CANCELED
