/** A direction, and latency under load, as a verdict and its cases. */
import { formatSize, plural } from '../../vocabulary/units.ts'
import { micros } from '../ladder.ts'
import { caseOf, type Case, type Outline } from '../outline.ts'
import type { ObjectiveResult } from '../result.ts'
import { ranks, type LoadedResult } from './loaded.ts'
import { perMinute } from './loaded-text.ts'
import { missedOf } from './objective.ts'
import type { DirectionFigures } from './figures.ts'
import type { DirectionResult } from './result.ts'
import { formatBits } from './bits.ts'
import { lossText } from './text.ts'

export function outlineOfDirection(result: DirectionResult): Outline {
  const { run, up, down, failedBecause, expectations, verdict, notes } = result
  return {
    command: `yodel ${run.command} --direction ${run.direction}`,
    address: run.address,
    standing: verdict === 'fail' ? 'FAIL' : 'PASS',
    because: failedBecause,
    cases: [arrival(failedBecause, expectations), ...expectations.map(caseOf)],
    figures: [...side('up', up), ...side('down', down)],
    notes,
    reproduce: run.reproduce,
    startedAt: run.startedAt,
    seconds: (run.durationMs ?? 0) / 1e3,
  }
}

export function outlineOfLoaded(result: LoadedResult): Outline {
  const { run, failedBecause, expectations, verdict, idleUs, loadedUs, addedUs, grade, flows } =
    result
  const times = ranks.flatMap((rank): [string, string][] => {
    const [idle, loaded, added] = [idleUs[rank], loadedUs[rank], addedUs[rank]]
    if (idle === null || loaded === null || added === undefined) return []
    return [[rank, `${micros(idle)} idle, ${micros(loaded)} loaded`]]
  })
  return {
    command: `yodel bench --load ${run.load}`,
    address: run.address,
    standing: verdict === 'fail' ? 'FAIL' : 'PASS',
    because: failedBecause,
    cases: [arrival(failedBecause, expectations), ...expectations.map(caseOf)],
    figures: [
      ...(grade === null ? [] : [['added by load', grade] as [string, string]]),
      perMinute(result),
      ...times,
      ...side('up', flows.up),
      ...side('down', flows.down),
    ],
    notes: flows.notes,
    reproduce: run.reproduce,
    startedAt: run.startedAt,
    seconds: (2 * run.durationMs) / 1e3,
  }
}

/** Why the run failed, without missed objectives, which have cases of their own. */
function arrival(failedBecause: readonly string[], expectations: readonly ObjectiveResult[]): Case {
  const missed = new Set(missedOf(expectations))
  const others = failedBecause.filter(reason => !missed.has(reason))
  return {
    name: 'every byte arrives',
    outcome: others.length > 0 ? 'missed' : 'held',
    said: others.join(' '),
  }
}

function side(name: string, figures: DirectionFigures | undefined): [string, string][] {
  if (!figures) return []
  const { bytesPerSecond, receivedBytes, tcp, datagrams } = figures
  const parts = [
    ...(bytesPerSecond === null ? [] : [formatBits(bytesPerSecond)]),
    `${formatSize(receivedBytes)} arrived`,
    ...(tcp ? [`${plural(tcp.retransmits, 'segment')} sent again`] : []),
    ...(datagrams ? [lossText(datagrams), `jitter ${micros(datagrams.jitterUs)}`] : []),
  ]
  return [[name, parts.join(', ')]]
}
