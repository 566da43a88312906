/** What a search for the highest rate has found, as a verdict and its cases. */
import { formatRate, plural } from '../vocabulary/units.ts'
import { conclusion, standingOf, type FindMaxResult } from './find-max.ts'
import { micros } from './ladder.ts'
import type { Outline } from './outline.ts'

export function outlineOfFindMax(result: FindMaxResult): Outline {
  const { objective, ratePerSecond, probes, run, limitedByGenerator } = result
  const standing = standingOf(result)
  const said = conclusion(result)
  const best = probes.find(probe => probe.held && probe.ratePerSecond === ratePerSecond)
  return {
    command: 'yodel bench --find-max',
    address: run?.address ?? objective,
    standing,
    because: [said],
    cases: [
      {
        name: `${objective} at some rate`,
        outcome: standing === 'FAIL' ? 'missed' : 'held',
        said: standing === 'FAIL' ? said : formatRate(ratePerSecond),
      },
      {
        name: 'the server was the limit',
        outcome: limitedByGenerator ? 'invalid' : 'held',
        said: limitedByGenerator ? said : '',
      },
    ],
    figures: [
      ['highest rate', formatRate(ratePerSecond)],
      ['tried', plural(probes.length, 'probe')],
      ...(['p50Us', 'p99Us'] as const).flatMap((key): [string, string][] => {
        const us = best?.[key] ?? null
        return us === null ? [] : [[`${key.slice(0, 3)} there`, micros(us)]]
      }),
    ],
    notes: [],
    reproduce: run?.reproduce ?? '',
    startedAt: run?.startedAt ?? '',
    seconds: 0,
  }
}
