/** Memory with a fixed address for system calls, which is unmapped once nothing refers to it. */
import { loadLibc, type Libc, type Mapping } from './libc.ts'

export function mapOwned(libc: Libc, sizeBytes: number): Mapping {
  const mapping = libc.map(sizeBytes)
  const { memory, address } = mapping
  forgotten.register(memory, { address, sizeBytes })
  return mapping
}

/**
 * Unmaps memory that nothing refers to. If the system still sends pages of it, the system keeps
 * these by itself.
 */
const forgotten = new FinalizationRegistry<{ address: number; sizeBytes: number }>(
  ({ address, sizeBytes }) => {
    const libc = loadLibc()
    if (typeof libc !== 'string') libc.unmapAt(address, sizeBytes)
  },
)
