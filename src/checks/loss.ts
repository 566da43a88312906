/** Packets that are lost, as the kernel sees it on a connection that was filled. */
import { infoOf } from './kernel-view.ts'
import type { Probe } from './probe.ts'
import type { Found } from './question.ts'

/** Beyond this share of the segments it is no mishap. */
const lossShare = 0.01
const lossLeast = 5
/** Each that is lost on the way back lets several come behind a later one. */
const behindShare = 0.015

/** What it had to send again; and what came behind a later segment, before which one was lost. */
export function describeLoss(filler: Probe): Found<'lossy'> | undefined {
  const info = infoOf(filler)
  if (!info?.sentSegments || !info.cameSegments) return undefined
  const up = info.retransmitted - (info.needless ?? 0)
  const down = info.outOfOrder ?? 0
  const isUp = up >= lossLeast && up > lossShare * info.sentSegments
  const isDown = down >= lossLeast && down > behindShare * info.cameSegments
  if (!isUp && !isDown) return undefined
  const evidence = [
    `of ${info.sentSegments} segments this kernel sent ${info.retransmitted} again` +
      (info.needless ? ` (${info.needless} without need)` : '') +
      `; of ${info.cameSegments} that came ${down} came behind a later one`,
  ]
  const ways = isUp && isDown ? 'in both directions' : isUp ? 'on the way there' : 'on the way back'
  return {
    name: 'lossy',
    said: `packets are lost ${ways}`,
    evidence,
    ...(isUp !== isDown && { side: isUp ? ('up' as const) : ('down' as const) }),
  }
}
