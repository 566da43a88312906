/** The only way to C. Loaded on demand: FFI is optional, and costs 30 ms to load. */
import { createRequire } from 'node:module'
import { endianness } from 'node:os'
import { getSystemErrorName } from 'node:util'
import {
  ETIME,
  MAP_PRIVATE_ANONYMOUS,
  MAP_SHARED_POPULATE,
  M_MMAP_THRESHOLD,
  M_TRIM_THRESHOLD,
  POLLIN,
  PROT_READ_WRITE,
} from './kernel-numbers.ts'

/** Arguments are numbers, memory, or null; a pointer that C gave us is a bigint. */
type Arg = number | bigint | Uint8Array | null
type Call = (...args: Arg[]) => number

/** The functions that engines use, as the manual declares them (section 2 and 3). */
const signatures = {
  accept4: 'int accept4(int fd, void *address, void *size, int flags)',
  bind: 'int bind(int fd, void *address, uint size)',
  clock_gettime: 'int clock_gettime(int clock, void *time)',
  close: 'int close(int fd)',
  connect: 'int connect(int fd, const void *address, uint size)',
  dup: 'int dup(int fd)',
  dup3: 'int dup3(int fd, int other, int flags)',
  fcntl: 'int fcntl(int fd, int command, int argument)',
  getpeername: 'int getpeername(int fd, void *address, void *size)',
  getsockname: 'int getsockname(int fd, void *address, void *size)',
  getsockopt: 'int getsockopt(int fd, int level, int name, void *value, void *size)',
  if_nametoindex: 'uint if_nametoindex(const char *name)',
  listen: 'int listen(int fd, int backlog)',
  pipe2: 'int pipe2(void *ends, int flags)',
  poll: 'int poll(void *descriptors, ulong count, int timeoutMs)',
  prctl: 'int prctl(int option, ulong value, ulong unused3, ulong unused4, ulong unused5)',
  read: 'long read(int fd, void *data, size_t size)',
  recv: 'long recv(int fd, void *data, size_t size, int flags)',
  recvmsg: 'long recvmsg(int fd, void *message, int flags)',
  send: 'long send(int fd, const void *data, size_t size, int flags)',
  sendmsg: 'long sendmsg(int fd, const void *message, int flags)',
  setsockopt: 'int setsockopt(int fd, int level, int name, void *value, uint size)',
  shutdown: 'int shutdown(int fd, int how)',
  socket: 'int socket(int family, int type, int protocol)',
  splice: 'long splice(int from, uint64 at, int to, uint64 toAt, size_t size, uint flags)',
  timerfd_create: 'int timerfd_create(int clock, int flags)',
  timerfd_settime: 'int timerfd_settime(int fd, int flags, const void *value, void *old)',
  vmsplice: 'long vmsplice(int pipe, const void *pieces, ulong count, uint flags)',
} as const

/** Functions that only some POSIX systems have, and only some engines need. */
const linuxOnly = new Set([
  'accept4',
  'dup3',
  'pipe2',
  'prctl',
  'splice',
  'timerfd_create',
  'timerfd_settime',
  'vmsplice',
])

type Calls = { readonly [Name in keyof typeof signatures]: Call }

/** Memory that the kernel may read and write at any time: it never moves. */
export interface Mapping {
  readonly memory: ArrayBuffer
  readonly address: number
}

export interface Libc extends Calls {
  /** io_uring_enter(2), with plain integers only: the cheapest kind of call. */
  readonly ringEnter: (
    number: number,
    fd: number,
    submit: number,
    wait: number,
    flags: number,
    argument: number,
    argumentSize: number,
  ) => number
  readonly ringSetup: (number: number, entries: number, params: Uint8Array) => number
  readonly ringRegister: Call
  /** sched_getattr(2) and sched_setattr(2), which glibc has no names for before 2.41. */
  readonly schedule: Call
  /**
   * mmap(2) of a descriptor; without one, of new zeroed memory, whose pages cost nothing until they
   * are used.
   */
  map(sizeBytes: number, fd?: number, offset?: number): Mapping
  /**
   * Makes malloc(3) keep this much free memory before it gives any back to the system (mallopt(3),
   * M_TRIM_THRESHOLD). With another C library than glibc it does nothing.
   */
  keepFreed(sizeBytes: number): void
  /**
   * Makes malloc(3) map blocks of this size and more one by one, so that they go back to the system
   * when they are freed (mallopt(3), M_MMAP_THRESHOLD). With another C library than glibc it does
   * nothing.
   */
  mapFrom(sizeBytes: number): void
  /**
   * Makes malloc(3) give free pages back to the system (malloc_trim(3)). With another C library
   * than glibc it does nothing.
   */
  trimFreed(): void
  /** munmap(2). No typed array over it may be used any more. */
  unmap(mapping: Mapping): void
  /** Whether something can be read there, or accepted, at this moment. */
  hasInput(fd: number): boolean
  /** Like unmap(), where nothing refers to the memory of the mapping any more. */
  unmapAt(address: number, sizeBytes: number): void
  /** The name of the error of the last call that failed, for example `EADDRINUSE`. */
  errorName(): string
  /** The same error as a negative number, as in completions of the ring. */
  lastError(): number
}

/** An error of the system, as Node's own have it. */
export const systemError = (code: string): NodeJS.ErrnoException =>
  Object.assign(new Error(code), { code })

/** The result of a call, or its error thrown. */
export function checked(libc: Libc, result: number): number {
  if (result < 0) throw systemError(libc.errorName())
  return result
}

/** The FFI package, to load other libraries. Call this only if loadLibc() has succeeded. */
export const loadKoffi = () => createRequire(import.meta.url)('koffi') as typeof import('koffi')

let loaded: Libc | string | undefined

/** The C library, or a sentence that says why it cannot be called. */
export function loadLibc(): Libc | string {
  loaded ??= load()
  return loaded
}

/**
 * The C library for callers whose structures have words of 64 bits, as on most machines with Linux;
 * undefined elsewhere.
 */
export function libcOf64Bits(): Libc | undefined {
  if (process.platform !== 'linux' || othersWords.has(process.arch)) return undefined
  const libc = loadLibc()
  return typeof libc === 'string' ? undefined : libc
}

/** The architectures on which pointers and timespec(3type) have words of 32 bits. */
const othersWords = new Set<string>(['arm', 'ia32', 'mips', 'mipsel', 'ppc'])

function load(): Libc | string {
  if (process.platform === 'win32') return 'Windows has no POSIX C library.'
  if (endianness() !== 'LE') return 'Big-endian machines are not supported by the FFI code.'
  try {
    return bindAll(loadKoffi())
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'MODULE_NOT_FOUND') return 'The optional package koffi is not installed.'
    return `The package koffi does not work here: ${(error as Error).message}`
  }
}

function bindAll(koffi: typeof import('koffi')): Libc {
  // Without a name koffi takes the running program, which contains the C library.
  const c = koffi.load(null)
  const wanted = Object.entries(signatures).filter(
    ([name]) => process.platform === 'linux' || !linuxOnly.has(name),
  )
  const calls = Object.fromEntries(
    wanted.map(([name, signature]) => [name, c.func(signature) as Call]),
  ) as unknown as Calls
  const mmap = c.func(
    'void *mmap(void *at, size_t size, int protection, int flags, int fd, long offset)',
  ) as (...args: Arg[]) => bigint
  const munmap = c.func('int munmap(uint64 at, size_t size)') as Call
  const errorName = () => {
    const errno = koffi.errno()
    // libuv has no name for it.
    return errno === ETIME ? 'ETIME' : getSystemErrorName(-errno)
  }
  /**
   * A function that only glibc has, and that only saves time or memory: with another C library it
   * does nothing.
   */
  const glibcOnly = (signature: string): Call => {
    let call: Call | undefined
    return (...args) => {
      try {
        call ??= c.func(signature) as Call
      } catch {
        call = () => 0
      }
      return call(...args)
    }
  }
  const mallopt = glibcOnly('int mallopt(int parameter, int value)')
  const mallocTrim = glibcOnly('int malloc_trim(size_t keep)')
  return {
    ...calls,
    ringEnter: c.func(
      'int syscall(long nr, int fd, uint submit, uint wait, uint flags, uint64 arg, uint size)',
    ) as Libc['ringEnter'],
    ringSetup: c.func('int syscall(long nr, uint entries, void *params)') as Libc['ringSetup'],
    ringRegister: c.func('int syscall(long nr, int fd, uint op, void *arg, uint count)') as Call,
    schedule: c.func('int syscall(long nr, int tid, void *attr, uint, uint)') as Call,
    hasInput(fd) {
      // pollfd: descriptor 4, events 2, what has come 2.
      const asked = Buffer.alloc(8)
      asked.writeInt32LE(fd, 0)
      asked.writeInt16LE(POLLIN, 4)
      return calls.poll(asked, 1, 0) === 1
    },
    errorName,
    lastError: () => -koffi.errno(),
    map(sizeBytes, fd = -1, offset = 0) {
      const flags = fd === -1 ? MAP_PRIVATE_ANONYMOUS : MAP_SHARED_POPULATE
      const pointer = mmap(null, sizeBytes, PROT_READ_WRITE, flags, fd, offset)
      const address = Number(koffi.address(pointer))
      // MAP_FAILED is -1.
      if (address > Number.MAX_SAFE_INTEGER) throw systemError(errorName())
      return { memory: koffi.view(pointer, sizeBytes), address }
    },
    keepFreed: sizeBytes => void mallopt(M_TRIM_THRESHOLD, sizeBytes),
    mapFrom: sizeBytes => void mallopt(M_MMAP_THRESHOLD, sizeBytes),
    trimFreed: () => void mallocTrim(0),
    unmap({ memory, address }) {
      munmap(address, memory.byteLength)
    },
    unmapAt: (address, sizeBytes) => void munmap(address, sizeBytes),
  }
}
