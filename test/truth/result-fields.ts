/** The fields of a result that are held against a witness: the one place that names them. */
import type { RunResult } from 'yodel'

export interface Told {
  valid: boolean
  verdict: RunResult['verdict']
  planned: number
  sent: number
  received: number
  /** Planned, and not back. */
  missing: number
  achievedPerSecond: number
  sentPerSecond: number
  response: Times
  service: Times
}

export type Times = RunResult['responseUs']

export function toldBy({ messages, ...result }: RunResult): Told {
  return {
    valid: result.valid,
    verdict: result.verdict,
    planned: messages.planned,
    sent: messages.sent,
    received: messages.received,
    missing: messages.lost + messages.unfinished,
    achievedPerSecond: result.rates.achievedPerSecond!,
    sentPerSecond: result.rates.sentPerSecond!,
    response: result.responseUs,
    service: result.serviceUs,
  }
}
