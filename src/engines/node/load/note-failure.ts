/** Records why a connection without messages in flight failed, for the result. */
import type { Traffic } from '../../../load/traffic.ts'
import type { FailureName } from '../../../metrics/meter.ts'
import { StatusError } from '../../../vocabulary/peer-errors.ts'
import { failureName, reasonWhy } from '../../failures.ts'

/** Returns the class under which the failure is counted. */
export function noteFailure({ evidence }: Traffic, error: unknown): FailureName {
  const name = failureName(error)
  if (error instanceof StatusError) evidence.noteStatus(error.status)
  evidence.noteReason(name, reasonWhy(error))
  return name
}
