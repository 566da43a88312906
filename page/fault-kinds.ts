/** The faults as the page offers them; docs/faults.md has the whole truth. */

import type { FaultKind } from '../src/dashboard/api.ts'

interface Kind {
  /** What stands after = when it is added. */
  value: string
  /** Without a value it means something, too. */
  optional?: boolean
  meaning: string
}

const kinds: Record<FaultKind, Kind> = {
  delay: { value: '50ms', meaning: 'each echo comes so much later; 50ms~10ms varies' },
  throttle: { value: '64k/s', meaning: 'so many bytes per second on each connection' },
  slice: { value: '1-100', meaning: 'small pieces: one message in many reads' },
  corrupt: { value: '0.1%', meaning: 'so many of the bytes with one bit flipped' },
  truncate: { value: '1000', meaning: 'ends after so many bytes, politely (FIN)' },
  reset: { value: '1000', meaning: 'breaks off (RST) after so many bytes, or after 2s' },
  hang: {
    value: '1000',
    optional: true,
    meaning: 'no answer any more after so many bytes; without a number none at all',
  },
  refuse: { value: '', optional: true, meaning: 'breaks off (RST) as soon as connected' },
  'slow-accept': { value: '100ms', meaning: 'connected at once, served so much later' },
  drop: { value: '10%', meaning: 'so many of the messages do not come back' },
  duplicate: { value: '10%', meaning: 'so many of the messages come back twice' },
  reorder: { value: '5%', meaning: 'so many of the messages come behind the next one' },
}

/** undefined: the server knows a kind that this page does not. */
export const kindOf = (name: string): Kind | undefined => kinds[name as FaultKind]

interface Preset {
  name: string
  meaning: string
  /** Where there are connections. */
  faults: string[]
  ofDatagrams: string[]
}

/** What a preset puts in force at a listener that takes these kinds. */
export const faultsFor = (preset: Preset, kinds: readonly FaultKind[]): string[] =>
  kinds.includes('slice') ? preset.faults : preset.ofDatagrams

export const presets: Preset[] = [
  {
    name: 'Bad Wi-Fi',
    meaning: 'late, now and then very late, in pieces or with losses, and narrow',
    faults: ['delay=exp:40ms', 'throttle=250k/s', 'slice=100-1400'],
    ofDatagrams: ['drop=5%', 'reorder=5%', 'delay=exp:40ms', 'throttle=250k/s'],
  },
  {
    name: 'Dying server',
    meaning: 'slow, and some are broken off, lost, refused, or get no answer',
    faults: ['delay=exp:200ms', 'reset=20k:30%', 'hang=5k:20%', 'refuse:20%'],
    ofDatagrams: ['delay=exp:200ms', 'drop=30%', 'hang:20%'],
  },
  {
    name: 'Slow disk',
    meaning: 'every answer waits, and so does whoever connects',
    faults: ['slow-accept=150ms', 'delay=80ms~60ms', 'throttle=2M/s'],
    ofDatagrams: ['delay=80ms~60ms', 'throttle=2M/s'],
  },
]

export interface Fault {
  kind: string
  value: string
  /** Of the connections; '' for all. */
  percent: string
}

/** `reset=1000:10%` → its parts. */
export function partsOf(text: string): Fault {
  const [, rest = '', percent = ''] = /^(.*?)(?::(\d+(?:\.\d+)?)%)?$/s.exec(text) ?? []
  const [kind = '', ...value] = rest.split('=')
  return { kind, value: value.join('='), percent }
}

export const textOf = ({ kind, value, percent }: Fault): string =>
  kind +
  (value.trim() === '' ? '' : `=${value.trim()}`) +
  (percent.trim() === '' || Number(percent) === 100 ? '' : `:${percent.trim()}%`)
