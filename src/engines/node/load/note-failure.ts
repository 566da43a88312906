/** Notes for the result why a connection failed that had nothing in flight. */
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
