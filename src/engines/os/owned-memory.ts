/** Memory whose address the system is told, and which is unmapped once nothing refers to it. */
import { loadLibc, type Libc, type Mapping } from './libc.ts'

export function mapOwned(libc: Libc, sizeBytes: number): Mapping {
  const mapping = libc.map(sizeBytes)
  const { memory, address } = mapping
  forgotten.register(memory, { address, sizeBytes })
  return mapping
}

/** What the system still sends of a mapping it keeps by itself. */
const forgotten = new FinalizationRegistry<{ address: number; sizeBytes: number }>(
  ({ address, sizeBytes }) => {
    const libc = loadLibc()
    if (typeof libc !== 'string') libc.unmapAt(address, sizeBytes)
  },
)
