/** The sentences about an answer that ended too early, or never came. */
import { counter } from '../metrics/meter.ts'
import { plural } from '../vocabulary/units.ts'
import type { Diagnosis } from './diagnosis.ts'

/** The answers that a connection still waits for. */
export interface Owed {
  missingBytes: number
  /** How many bytes of the incomplete message came. */
  cameBytes: number
  inWarmUp: boolean
}

/** @param why the reason, if it is known: `closed with 1009`, or what the other side did */
export function endText(isClosed: boolean, why: string | undefined, owed: Owed): string {
  const missing = `with ${plural(owed.missingBytes, 'byte')} unanswered${more(owed)}.`
  if (why === undefined) return `The connection ${isClosed ? 'was closed' : 'broke'} ${missing}`
  return isClosed
    ? `The connection was ${why}, ${missing}`
    : `The connection broke: ${why}, ${missing}`
}

/** The diagnosis if nothing came any more, although the connection is open. */
export const silence = (owed: Owed): Diagnosis => ({
  cause: 'missing',
  detail:
    `${plural(owed.missingBytes, 'byte')} did not come back${more(owed)}, although the ` +
    'connection stayed open.',
})

/** `, after 10 bytes of a message, in the warm-up`: what the figures do not show. */
function more({ cameBytes, inWarmUp }: Owed): string {
  const part = cameBytes > 0 ? `, after ${plural(cameBytes, 'byte')} of a message` : ''
  return inWarmUp ? `${part}, in the warm-up` : part
}

/** @param said what was wrong with the answer, without a full stop */
export const statusDiagnosis = (said: string, inWarmUp = false): Diagnosis => ({
  cause: 'status',
  detail: `It is not an echo: ${said}${inWarmUp ? ', in the warm-up' : ''}.`,
})

/**
 * The diagnosis if the connection ended before everything had come; undefined if the failure has a
 * diagnosis of its own.
 * @param reason the counter of the failure
 */
export function endDiagnosis(
  reason: number,
  said: string | undefined,
  owed: Owed,
): Diagnosis | undefined {
  if (reason === counter.wrongBytes || reason === counter.unanswered) return undefined
  if (reason === counter.timedOut) return silence(owed)
  if (reason === counter.status) return statusDiagnosis(said!, owed.inWarmUp)
  return { cause: 'truncated', detail: endText(reason === counter.closedEarly, said, owed) }
}

/** The diagnosis if a message came back with another size. */
export const wrongBounds = (wantedBytes: number, cameBytes: number): Diagnosis => ({
  cause: 'bounds',
  detail:
    `A message of ${plural(wantedBytes, 'byte')} came back as one of ` +
    `${plural(cameBytes, 'byte')}, with the right content.`,
})
