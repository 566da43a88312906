/** A request that is answered with an error. */
import { UserError } from '../vocabulary/errors.ts'
import type { ApiError } from './api.ts'

export class Refused extends Error {
  readonly status: number
  readonly hint: string
  readonly headers: Record<string, string>

  constructor(status: number, message: string, hint = '', headers: Record<string, string> = {}) {
    super(message)
    this.status = status
    this.hint = hint
    this.headers = headers
  }
}

/** Status and body for whatever was thrown; undefined for a defect. */
export function explainRefusal(error: unknown): { status: number; body: ApiError } | undefined {
  if (error instanceof Refused)
    return { status: error.status, body: { error: error.message, hint: error.hint } }
  if (error instanceof UserError)
    return { status: 400, body: { error: error.message, hint: error.hint } }
  return undefined
}
