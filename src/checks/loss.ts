/** Packets that are lost, as the kernel sees it on a connection that was filled. */
import { formatDuration, formatSize } from '../vocabulary/units.ts'
import { infoOf } from './kernel-view.ts'
import type { ProbeConnection } from './probe.ts'
import type { Found } from './question.ts'

/** If more than this share of the segments is lost, that is not chance. */
const lossShare = 0.01
const lossLeast = 5
/**
 * The same share for the way back. There one lost segment makes all segments that were under way
 * arrive out of order. If several processors receive, a few are out of order although none is lost.
 */
const behindShare = 0.05

/** What the kernel has counted while a path was filled, once or several times. */
export interface Loss {
  fills: number
  sent: number
  /** Segments that were sent again, and how many of these needlessly. */
  again: number
  needless: number
  came: number
  /** Segments that came after a later one, because an earlier one was lost. */
  behind: number
}

export const nothingLost: Loss = {
  fills: 1,
  sent: 0,
  again: 0,
  needless: 0,
  came: 0,
  behind: 0,
}

/** What the kernel counted on this connection; undefined where it cannot be asked. */
export function lossOf(filler: ProbeConnection): Loss | undefined {
  const info = infoOf(filler)
  if (!info?.sentSegments || !info.cameSegments) return undefined
  const { sentSegments, retransmitted, needless = 0, cameSegments, outOfOrder = 0 } = info
  return {
    fills: 1,
    sent: sentSegments,
    again: retransmitted,
    needless,
    came: cameSegments,
    behind: outOfOrder,
  }
}

/** The sum of two losses. */
export const sumOfLosses = (one: Loss, other: Loss): Loss => ({
  fills: one.fills + other.fills,
  sent: one.sent + other.sent,
  again: one.again + other.again,
  needless: one.needless + other.needless,
  came: one.came + other.came,
  behind: one.behind + other.behind,
})

/** The share that was lost, in the direction that lost more. */
const shareOf = ({ sent, again, needless, came, behind }: Loss): number =>
  Math.max((again - needless) / Math.max(1, sent), behind / Math.max(1, came))

export function describeLoss(loss: Loss): Found<'lossy'> | undefined {
  const { fills, sent, again, needless, came, behind } = loss
  const least = fills * lossLeast
  const isUp = again - needless >= least && again - needless > lossShare * sent
  const isDown = behind >= least && behind > behindShare * came
  if (!isUp && !isDown) return undefined
  const evidence = [
    `of ${sent} segments this kernel sent ${again} again` +
      (needless > 0 ? ` (${needless} needlessly)` : '') +
      `; of ${came} that came, ${behind} were out of order`,
  ]
  const ways = isUp && isDown ? 'in both directions' : isUp ? 'on the way there' : 'on the way back'
  return {
    name: 'lossy',
    said: `packets are lost ${ways}`,
    evidence,
    ...(isUp !== isDown && { side: isUp ? ('up' as const) : ('down' as const) }),
  }
}

/**
 * If more than this share is lost without a long queue, the cause is a policer rather than a bad
 * link.
 */
const policedShare = 0.05

/** What was seen while a path was filled. */
export interface Company {
  loadedMs: number | null
  /** What came back in that time. */
  filled?: { bytes: number; ms: number }
}

/**
 * Adds what else was seen while packets were lost: it distinguishes a policer from a full queue.
 */
export function withCompany(
  lossy: Found<'lossy'>,
  loss: Loss,
  { loadedMs, filled }: Company,
  rtt: number,
): Found<'lossy'> {
  const evidence = [...lossy.evidence]
  if (filled)
    evidence.push(
      `${formatSize(filled.bytes)} came back in ${formatDuration(filled.ms)}: ` +
        `${formatSize((filled.bytes * 1e3) / filled.ms)}/s`,
    )
  if (loadedMs === null) return { ...lossy, evidence }
  evidence.push(
    `meanwhile round trips took ${formatDuration(loadedMs)}, alone ${formatDuration(rtt)}`,
  )
  const isShort = loadedMs < 2 * rtt + 5
  const isMuch = shareOf(loss) > policedShare
  const where =
    'round trips stay short meanwhile, so no queue on the way is full: a policer drops packets ' +
    'above its rate, or packets are lost at random'
  return { ...lossy, evidence, ...(isShort && isMuch && { where }) }
}
