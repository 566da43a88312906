/** The only file that calls C. Loaded on demand: FFI is optional, and costs 30 ms to load. */
import { createRequire } from 'node:module'

export interface Libc {
  /** dup(2): another descriptor of the same open file, or -1. */
  dup(fd: number): number
  /** close(2): 0 or -1. */
  close(fd: number): number
}

let loaded: Libc | string | undefined

/** The C library, or a sentence that says why it cannot be called. */
export function loadLibc(): Libc | string {
  loaded ??= load()
  return loaded
}

function load(): Libc | string {
  if (process.platform === 'win32') return 'Windows has no POSIX C library.'
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
    // Without a name it is the running program, which has the C library in it already.
    const c = koffi.load(null)
    return {
      dup: c.func('int dup(int)') as (fd: number) => number,
      close: c.func('int close(int)') as (fd: number) => number,
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'MODULE_NOT_FOUND') return 'The optional package koffi is not installed.'
    return `The package koffi does not work here: ${String(error)}`
  }
}
