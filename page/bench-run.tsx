/** A row of the table of bench runs. */
import type { BenchRun, BenchWanted } from '../src/dashboard/api.ts'
import { placeText } from '../src/vocabulary/place.ts'
import { clockText, formatCount, none, plural, sizeText, timeText } from './format.ts'
import * as runs from './runs.ts'
import { isLive } from './state.ts'

export const loadText = ({
  connections,
  sizeBytes,
  ratePerSecond,
  durationMs,
}: BenchWanted): string =>
  [
    connections === undefined ? '' : plural(connections, 'connection'),
    sizeBytes === undefined ? '' : sizeText(sizeBytes),
    ratePerSecond === undefined ? 'no limit of rate' : `${formatCount(ratePerSecond)}/s`,
    durationMs === undefined ? '' : `${durationMs / 1e3}\u00a0s`,
  ]
    .filter(Boolean)
    .join(', ')

interface Props extends BenchRun {
  isChosen: boolean
  /** What it is in the comparison. */
  role: string
}

export function Run(run: Props) {
  const { id, address, startedAt, state, achievedPerSecond, p50Us, p99Us, received } = run
  return (
    <tr>
      <td>
        <label class="check">
          <input
            type="checkbox"
            checked={run.isChosen}
            disabled={state !== 'finished'}
            aria-label={`Compare the run of ${clockText(startedAt)}`}
            onChange={({ currentTarget }) => runs.choose(id, currentTarget.checked)}
          />{' '}
          {run.role}
        </label>
      </td>
      <td>{clockText(startedAt)}</td>
      <td>
        {loadText(run.options)} <span class="aside">{address}</span>
      </td>
      <td>{run.waiting ? placeText(run.waiting) : state}</td>
      <td class="number">{formatCount(achievedPerSecond)}/s</td>
      <td class="number">{timeText(p50Us)}</td>
      <td class="number">{timeText(p99Us)}</td>
      <td class="number">{formatCount(received)}</td>
      <td>
        <Result {...run} />
      </td>
    </tr>
  )
}

function Result({ id, state, error, verdict, valid, received }: BenchRun) {
  if (state === 'running')
    return (
      <button type="button" disabled={!isLive.value} onClick={() => void runs.stop(id)}>
        End it now
      </button>
    )
  if (state === 'failed') return <span class="problem">{error ?? none}</span>
  const failed = received === 0 ? 'nothing came back as it should' : 'bytes wrong or missing'
  const words = verdict === 'pass' ? 'every byte came back' : failed
  return (
    <>
      <span class={verdict === 'pass' ? 'good' : 'problem'}>{words}</span>
      {valid === false && <span class="problem">; the generator was the limit</span>}{' '}
      <a href={runs.reportPath(id)} target="_blank" rel="noopener">
        Report
      </a>
    </>
  )
}
