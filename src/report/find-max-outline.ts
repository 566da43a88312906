/** What a search for the highest rate has found, as a verdict and its cases. */
import { formatRate, plural } from '../vocabulary/units.ts'
import { conclusion, standingOf, type FindMaxResult } from './find-max.ts'
import { micros } from './ladder.ts'
import type { Outline } from './outline.ts'

export function outlineOfFindMax(result: FindMaxResult): Outline {
  const { objective, ratePerSecond, probes, run } = result
  const standing = standingOf(result)
  const because = conclusion(result)
  const said = because.join(' ')
  const best = probes.find(probe => probe.held && probe.ratePerSecond === ratePerSecond)
  return {
    command: 'yodel bench --find-max',
    address: run?.address ?? objective,
    standing,
    because,
    cases: [
      {
        name: `${objective} at some rate`,
        outcome: ratePerSecond > 0 ? 'held' : standing === 'FAIL' ? 'missed' : 'not asked',
        said: ratePerSecond > 0 ? formatRate(ratePerSecond) : said,
      },
      {
        name: 'the server was the limit',
        outcome: standing === 'INVALID' ? 'invalid' : 'held',
        said: standing === 'INVALID' ? said : '',
      },
    ],
    figures: [
      ['highest rate', highestText(result)],
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

function highestText(result: FindMaxResult): string {
  const { ratePerSecond } = result
  const standing = standingOf(result)
  if (ratePerSecond > 0)
    return `${standing === 'PASS' ? '' : 'at least '}${formatRate(ratePerSecond)}`
  return standing === 'FAIL' ? 'none held' : 'not known'
}
