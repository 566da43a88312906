/** Why a connection failed that owed nothing: what is known of it, for the result. */
import type { Traffic } from '../../../load/traffic.ts'
import type { FailureName } from '../../../metrics/meter.ts'
import { StatusError } from '../../../vocabulary/peer-errors.ts'
import { failureName, reasonWhy } from '../../failures.ts'

/** Under which class it is counted. */
export function noteFailure({ evidence }: Traffic, error: unknown): FailureName {
  const name = failureName(error)
  if (error instanceof StatusError) evidence.noteStatus(error.status)
  evidence.noteReason(name, reasonWhy(error))
  return name
}
