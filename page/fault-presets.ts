/** Sets of faults that the page offers together; docs/faults.md has all faults. */

import type { FaultKindInfo } from '../src/dashboard/api.ts'
import { partsOf } from '../src/faults/text.ts'

interface Preset {
  name: string
  meaning: string
  /** Where the listener takes all of these. */
  faults: string[]
  /** Elsewhere: where there are no connections. */
  ofDatagrams: string[]
}

/** What a preset puts in force at a listener that takes these kinds. */
export function faultsFor({ faults, ofDatagrams }: Preset, kinds: readonly FaultKindInfo[]) {
  const taken = new Set<string>(kinds.map(({ kind }) => kind))
  return faults.every(fault => taken.has(partsOf(fault).kind)) ? faults : ofDatagrams
}

export const presets: Preset[] = [
  {
    name: 'Bad Wi-Fi',
    meaning: 'late, sometimes very late, in pieces or with losses, on a slow line',
    faults: ['delay=exp:40ms', 'throttle=250k/s', 'slice=100-1400'],
    ofDatagrams: ['drop=5%', 'reorder=5%', 'delay=exp:40ms', 'throttle=250k/s'],
  },
  {
    name: 'Dying server',
    meaning: 'slow; some connections are reset or refused, some messages get lost or no answer',
    faults: ['delay=exp:200ms', 'reset=20k:30%', 'hang=5k:20%', 'refuse:20%'],
    ofDatagrams: ['delay=exp:200ms', 'drop=30%', 'hang:20%'],
  },
  {
    name: 'Slow disk',
    meaning: 'delays every echo and every new connection',
    faults: ['slow-accept=150ms', 'delay=80ms~60ms', 'throttle=2M/s'],
    ofDatagrams: ['delay=80ms~60ms', 'throttle=2M/s'],
  },
]
