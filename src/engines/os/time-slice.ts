/**
 * Asks the scheduler to run this thread as soon as it is woken. Since Linux 6.12 a thread may ask
 * for short time slices (sched_setattr(2), `sched_runtime` of SCHED_OTHER): the shorter the slice,
 * the earlier its deadline (EEVDF), so it need not wait until another thread has used up a long
 * one. Its share of the processor stays the same, and no privilege is needed.
 */
import { loadLibc } from './libc.ts'

/** Sizes and offsets in struct sched_attr (linux/sched/types.h), in bytes. */
const attrBytes = 48
const place = { size: 0, niceness: 16, runtime: 24 }

/** syscall(2): sched_setattr, sched_getattr. */
const numbers: Partial<Record<NodeJS.Architecture, { set: number; get: number }>> = {
  x64: { set: 314, get: 315 },
  arm64: { set: 274, get: 275 },
  riscv64: { set: 274, get: 275 },
}

/** The shortest slice that the kernel grants: 0.1 ms. */
const sliceNs = 100_000n

/** @returns whether the kernel accepted the request; before 6.12 it ignores the slice */
export function askForShortTimeSlices(): boolean {
  const attr = read()
  if (!attr) return false
  // Its other attributes, such as niceness, stay.
  attr.view.setUint32(place.size, attrBytes, true)
  attr.view.setBigUint64(place.runtime, sliceNs, true)
  return attr.libc.schedule(attr.numbers.set, 0, attr.bytes, 0, 0) >= 0
}

/** The time slice and niceness of the calling thread; undefined if the system cannot be asked. */
export function timeSliceOf(): { sliceNs: bigint; niceness: number } | undefined {
  const attr = read()
  return (
    attr && {
      sliceNs: attr.view.getBigUint64(place.runtime, true),
      niceness: attr.view.getInt32(place.niceness, true),
    }
  )
}

function read() {
  const found = process.platform === 'linux' ? numbers[process.arch] : undefined
  const libc = found ? loadLibc() : ''
  if (!found || typeof libc === 'string') return undefined
  const bytes = new Uint8Array(attrBytes)
  if (libc.schedule(found.get, 0, bytes, attrBytes, 0) < 0) return undefined
  return { libc, numbers: found, bytes, view: new DataView(bytes.buffer) }
}
