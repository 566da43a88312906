/** Finds times in steps, which Nagle's algorithm with delayed acknowledgements causes. */
import type { Buckets } from './rank.ts'
import type { RunResult } from './result.ts'

/** How long an acknowledgement is delayed: by Linux at least, and by other systems. */
const delaysMs = [40, 200]
/** A message that waited for the acknowledgement takes at least this share of the delay. */
const leastShare = 0.98
const mostShare = 1.2
/**
 * A step has at least this share of all samples; at most the other share lies before it, from half
 * of the delay on.
 */
const stepShare = 0.1
const gapShare = 0.02
/** With fewer times than this their share is not known. */
const fewestTimes = 10

/** The delay at which many of the times lie, with almost none just before it. */
export function delayedStep(buckets: Buckets): { ms: number; share: number } | undefined {
  const total = buckets.reduce((sum, [, count]) => sum + count, 0)
  const share = (fromMs: number, toMs: number) =>
    buckets.reduce((sum, [us, n]) => (us >= fromMs * 1e3 && us < toMs * 1e3 ? sum + n : sum), 0) /
    total
  for (const ms of total >= fewestTimes ? delaysMs : []) {
    const standing = share(ms * leastShare, ms * mostShare)
    const before = share(ms / 2, ms * leastShare)
    if (standing >= stepShare && before <= gapShare) return { ms, share: standing }
  }
  return undefined
}

/** Adds a note where there is such a step; datagrams have none. */
export function noteSteps({ datagrams, histograms, notes }: RunResult): void {
  const step = datagrams ? undefined : delayedStep(histograms.serviceUs)
  if (!step) return
  notes.push(
    `${Math.round(step.share * 100)} % of the messages took ${step.ms} ms or little more, and ` +
      "almost none a little less. If that is not on purpose, Nagle's algorithm meets delayed " +
      'acknowledgements: a server that writes an answer in pieces, without TCP_NODELAY, waits ' +
      'for the acknowledgement of the first piece, which the other system delays.',
  )
}
