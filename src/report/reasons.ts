/** Why a run has failed, in sentences. */
import { formatRate, plural } from '../vocabulary/units.ts'
import type { Findings } from './findings.ts'
import { leastBeyond } from './rank.ts'
import type { RunResult } from './result.ts'

/** What to try for failures whose cause is not the server. */
const hints: Record<string, string> = {
  noDescriptors: ' The generator had none left: raise `ulimit -n`.',
}
/** The hint if ports run out. (If no connection at all can be made, the run does not begin.) */
const portsGone = ' The generator had no port left for that server: see --source.'

const hintFor = (name: string, cause: string): string =>
  hints[name] ?? (/EADDRNOTAVAIL|EADDRINUSE/.test(cause) ? portsGone : '')

/** A sentence for each reason; objectives have theirs. */
export function failureReasons(result: RunResult, findings: Findings): string[] {
  const { limits, window, total } = findings
  const { messages, errors, churn, corruption, run, datagrams } = result
  const reasons: string[] = []
  // A run is not a success if no message was ever due.
  if (window.seconds === 0 || (messages.planned === 0 && run.options.connections !== 0))
    reasons.push(nothingMeasured(result))
  if (churn?.planned === 0) reasons.push('No short connection was measured.')
  if (messages.lost > 0 && !limits.loss) reasons.push(...lossReasons(result))
  // A warm-up that is never answered is a loss, too.
  const warmupLost = total.warmupSent - total.warmupReceived
  const unanswered = messages.lost + messages.unfinished + warmupLost
  // Objectives speak of messages: they do not excuse a short connection.
  const all = messages.planned + total.warmupSent
  const mayLose = (!churn && limits.loss?.(unanswered, all)) ?? false
  if (messages.unfinished > 0 && !mayLose)
    reasons.push(
      `${plural(messages.unfinished, 'message')} ${messages.unfinished === 1 ? 'was' : 'were'} ` +
        'still under way when the drain was over, and never verified.',
    )
  // A datagram has no connection that could fail for it, and one that broke was opened again.
  if ((datagrams || result.outages) && warmupLost > 0 && !mayLose)
    reasons.push(`${plural(warmupLost, 'message')} of the warm-up did not come back.`)
  for (const [name, count] of Object.entries(errors)) {
    if (count === 0) continue
    if (datagrams && name === 'wrongBytes') reasons.push(`${plural(count, 'datagram')} came wrong.`)
    else if (name === 'status') reasons.push(...statusReasons(result))
    else if (name !== 'unanswered')
      reasons.push(
        `${plural(count, 'connection')} failed: ${name}${why(name, findings)}.` +
          hintFor(name, why(name, findings)),
      )
    else if (!mayLose)
      reasons.push(`${plural(count, 'connection')} with messages unanswered when the run ended.`)
  }
  const short = shortfall(result)
  if (short !== undefined && !limits.rate) {
    // What is lost is judged by the objective on it.
    const excused = limits.loss ? messages.lost + messages.unfinished : 0
    if (isShort(messages.planned, window.achieved + excused)) reasons.push(short)
  }
  if (corruption && corruption.corruptedBytes > 0)
    reasons.push(`${plural(corruption.corruptedBytes, 'byte')} came back corrupted.`)
  const shortOfChurn = churnShortfall(result)
  if (shortOfChurn !== undefined) reasons.push(shortOfChurn)
  const unfinished = churn ? churn.planned - churn.completed : 0
  if (unfinished > 0) reasons.push(`${plural(unfinished, 'short connection')} did not get through.`)
  // Even if any number of messages may be lost: here not a single one came back right.
  if (reasons.length === 0 && messages.planned > 0 && messages.received === 0)
    reasons.push('Nothing came back.')
  return reasons
}

/** ` (the certificate has expired)`, of the first of its class for which that is known. */
function why(wanted: string, { reasons = [] }: Findings): string {
  const [, reason] = reasons.find(([name]) => name === wanted) ?? []
  return reason === undefined ? '' : ` (${reason})`
}

/**
 * The sentence for a run without any measured message. (Failures in the warm-up are not in its
 * counts.)
 */
function nothingMeasured({ errors, run }: RunResult): string {
  const failed = Object.values(errors).some(count => count > 0)
  if (!failed || !(Number(run.options.warmupMs) > 0)) return 'Nothing was measured.'
  return 'Nothing was measured: it failed in the warm-up.'
}

const statusReasons = ({ http }: RunResult): string[] =>
  Object.entries(http?.statuses ?? {}).map(
    ([status, count]) => `${plural(count, 'connection')} failed: status ${status}.`,
  )

/** Why the rate of a window with a count is not known. */
export const rateUnknown = `it takes ${leastBeyond} replies, and a window as long as a round trip`

/** A rate may be this much below the plan because of the ends of the window. */
const shortShare = 0.01
const shortMessages = 10
const isShort = (planned: number, achieved: number): boolean =>
  planned - achieved > Math.max(shortShare * planned, shortMessages)

/** `Achieved 1,000/s of 2,000/s planned.`, where the plan was not kept. */
export function shortfall({ messages, rates, seconds, run }: RunResult): string | undefined {
  const { plannedPerSecond: planned, achievedPerSecond: achieved } = rates
  if (planned === null || achieved === null || run.command === 'flood') return undefined
  if (!isShort(messages.planned, achieved * seconds)) return undefined
  return `Achieved ${formatRate(achieved)} of ${formatRate(planned)} planned.`
}

/** The shortfall of short connections. */
export function churnShortfall({ churn, seconds, run }: RunResult): string | undefined {
  if (!churn || run.command === 'flood') return undefined
  const { planned, achieved = planned } = churn
  if (!isShort(planned, achieved)) return undefined
  const [did, due] = [achieved, planned].map(count => formatRate(count / seconds))
  return `Achieved ${did} of ${due} short connections planned.`
}

/**
 * Whether a connection failed before the end, so that messages due on it afterwards were never
 * sent.
 */
const hasBroken = (errors: RunResult['errors']): boolean =>
  Object.entries(errors).some(([name, count]) => name !== 'unanswered' && count > 0)

/**
 * Messages that were never sent have another reason than those that did not come back, or not in
 * time.
 */
function lossReasons({ messages, datagrams, rates, errors }: RunResult): string[] {
  const { planned, sent, received, unfinished } = messages
  // Wrong datagrams have a sentence of their own.
  const { lost, late } = datagrams ?? { lost: sent - received - unfinished, late: 0 }
  const reasons = []
  const unsent = planned - sent
  // In a closed loop no time was planned.
  const inTime =
    rates.plannedPerSecond === null
      ? ''
      : hasBroken(errors)
        ? ' in time, or had no connection left'
        : ' in time'
  if (unsent > 0) reasons.push(`${plural(unsent, 'message')} could not be sent${inTime}.`)
  if (lost > 0) reasons.push(`${plural(lost, 'message')} did not come back.`)
  if (late > 0) reasons.push(`${plural(late, 'message')} came back too late.`)
  return reasons
}
