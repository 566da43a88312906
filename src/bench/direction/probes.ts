/** Foreign probes while a path is full: see engines/node/direction/foreign. */
import type { LoadedOptions } from '../../load/direction/loaded.ts'
import type { ForeignProbe } from '../../report/direction/responsiveness.ts'
import type { Address } from '../../vocabulary/address.ts'

/**
 * The time between two probes. A probe takes about 5 kB, so all together take less than a twentieth
 * of 10 Mbit/s.
 */
const everyMs = 100
/** The most probes under way: a full buffer may delay a probe for seconds. */
const underWayMax = 50
const timeoutUsualMs = 10_000

export interface Probes {
  /** Begins no more probes; resolves when all have come back, or have timed out. */
  end(): Promise<ForeignProbe[]>
}

export async function startProbes(
  address: Address,
  { timeoutMs = timeoutUsualMs, calling = {} }: LoadedOptions,
): Promise<Probes> {
  const { foreignProbe } = await import('../../engines/node/index.ts')
  const beganMs = performance.now()
  const found: ForeignProbe[] = []
  const underWay = new Set<Promise<void>>()
  const ask = async () => {
    const atMs = performance.now() - beganMs
    try {
      found.push({ atMs, ...(await foreignProbe({ address, calling }, timeoutMs)) })
    } catch {
      // Ignored: the round trips of the measurement itself show what failed.
    }
  }
  const begin = () => {
    if (underWay.size >= underWayMax) return
    const asked = ask().finally(() => underWay.delete(asked))
    underWay.add(asked)
  }
  begin()
  const timer = setInterval(begin, everyMs)
  return {
    async end() {
      clearInterval(timer)
      await Promise.all(underWay)
      return found
    },
  }
}
