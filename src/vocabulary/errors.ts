/** The one error that a user can correct: what failed, the likely cause, what to try. */

/** `usage`: the request makes no sense. `network`: it was not possible to bind or connect. */
export type UserErrorKind = 'usage' | 'network'

/** Plain data, because errors of this kind cross threads. */
export interface UserErrorData {
  kind: UserErrorKind
  message: string
  hint: string
}

/**
 * An error that a user can correct: the message says what failed, the hint what to try. Any other
 * error is a defect of yodel, and keeps its stack.
 */
export class UserError extends Error {
  readonly kind: UserErrorKind
  /** What to try, as a sentence; may be empty. */
  readonly hint: string

  constructor(kind: UserErrorKind, message: string, hint = '') {
    super(message)
    this.name = 'UserError'
    this.kind = kind
    this.hint = hint
  }

  toData(): UserErrorData {
    return { kind: this.kind, message: this.message, hint: this.hint }
  }

  static fromData({ kind, message, hint }: UserErrorData): UserError {
    return new UserError(kind, message, hint)
  }
}

/** Shorthand for a request that makes no sense. */
export const usageError = (message: string, hint = ''): UserError =>
  new UserError('usage', message, hint)
