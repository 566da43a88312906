/** Numbers of the C headers of Linux, for calls of libc; those of io_uring are in uring/kernel. */

/** Families of addresses: sys/socket.h. */
export const AF_UNIX = 1
export const AF_INET = 2
export const AF_INET6 = 10
/** Kinds of sockets, and a flag of socket(2) and accept4(2). */
export const SOCK_STREAM = 1
export const SOCK_DGRAM = 2
export const SOCK_CLOEXEC = 0o2000000
/** Options of socket(7). */
export const SOL_SOCKET = 1
export const SO_REUSEADDR = 2
export const SO_BROADCAST = 6
export const SO_SNDBUF = 7
export const SO_RCVBUF = 8
export const SO_KEEPALIVE = 9
export const SO_REUSEPORT = 15
export const SO_RCVTIMEO = 20
export const SO_SNDTIMEO = 21
export const SO_BINDTODEVICE = 25
/** The option, and also the type of its control message, which has a timespec. */
export const SO_TIMESTAMPNS = 35
export const SO_ATTACH_FILTER = 26
export const SO_MEMINFO = 55
/** Which word of SO_MEMINFO says how many datagrams were dropped: linux/sock_diag.h. */
export const SK_MEMINFO_DROPS = 8
/** Options of tcp(7). */
export const IPPROTO_TCP = 6
export const TCP_NODELAY = 1
export const TCP_KEEPIDLE = 4
export const TCP_INFO = 11
export const TCP_QUICKACK = 12
export const TCP_CONGESTION = 13
/** Options of udp(7), which are also types of control messages. */
export const SOL_UDP = 17
export const UDP_SEGMENT = 103
export const UDP_GRO = 104
/** Options of ip(7) and ipv6(7). */
export const IPPROTO_IP = 0
export const IP_TOS = 1
export const IP_RECVTOS = 13
export const IP_MTU = 14
export const IP_BIND_ADDRESS_NO_PORT = 24
export const IPPROTO_IPV6 = 41
export const IPV6_MTU = 24
export const IPV6_RECVTCLASS = 66
export const IPV6_TCLASS = 67
/** Flags of send(2). */
export const MSG_DONTWAIT = 0x40
export const MSG_WAITALL = 0x100
export const MSG_NOSIGNAL = 0x4000
/** Ways of shutdown(2). */
export const SHUT_WR = 1
export const SHUT_RDWR = 2
/** Clocks of clock_gettime(2), and flags of timerfd_create(2) and timerfd_settime(2). */
export const CLOCK_REALTIME = 0
export const CLOCK_MONOTONIC = 1
export const TFD_NONBLOCK = 0o4000
export const TFD_TIMER_ABSTIME = 1
/** Flags of open(2), which dup3(2) and pipe2(2) take, too. */
export const O_NONBLOCK = 0o4000
export const O_CLOEXEC = 0o2000000
/** Commands of fcntl(2). */
export const F_SETFL = 4
export const F_SETPIPE_SZ = 1031
/** Events of poll(2). */
export const POLLIN = 1
export const POLLOUT = 4
/** Events that are reported even if nobody asked for them. */
export const POLLERR = 8
export const POLLHUP = 16
/** A flag of splice(2). */
export const SPLICE_F_NONBLOCK = 2
/**
 * An operation of prctl(2): sets by how many nanoseconds timers of the calling thread may be late.
 */
export const PR_SET_TIMERSLACK = 29
/** Flags of mmap(2), several in one number. */
export const PROT_READ_WRITE = 3
export const MAP_PRIVATE_ANONYMOUS = 0x22
export const MAP_SHARED_POPULATE = 0x8001
/** Parameters of mallopt(3), in glibc. */
export const M_TRIM_THRESHOLD = -1
export const M_MMAP_THRESHOLD = -3
/** An error of errno(3): the time of a wait is over. */
export const ETIME = 62
/** Others of errno(3), negative as the kernel returns them. */
export const errno = {
  IO: -5,
  AGAIN: -11,
  INVAL: -22,
  PIPE: -32,
  MSGSIZE: -90,
  NOPROTOOPT: -92,
  OPNOTSUPP: -95,
  NETUNREACH: -101,
  CONNABORTED: -103,
  CONNRESET: -104,
  NOBUFS: -105,
  NOTCONN: -107,
  TIMEDOUT: -110,
  CONNREFUSED: -111,
  HOSTUNREACH: -113,
  CANCELED: -125,
} as const
