/** What the other side did wrong, as errors. */
import { largeBytes, proxyHint } from './transport.ts'
import { formatDuration } from './units.ts'

/** The other side failed the handshake: its TLS, PROXY header or upgrade makes no sense. */
export class ProtocolError extends Error {}

/** The other side closed the connection with an error code. */
export class ClosedError extends Error {}

/** An HTTP server answered with something other than an echo. */
export class StatusError extends Error {
  readonly status: number

  constructor(status: number, reason: string) {
    super(`the answer has status ${status} ${reason}`.trimEnd())
    this.status = status
  }
}

/** The other side is connected, and sends nothing. */
export class AnswerTimeoutError extends Error {
  readonly code = 'ETIMEDOUT'
  readonly hint: string

  constructor(ms: number, sentBytes: number) {
    super(`no answer came within ${formatDuration(ms)}`)
    const proxy = sentBytes >= largeBytes ? ` ${proxyHint}` : ''
    this.hint = `\`--timeout\` says how long to wait.${proxy}`
  }
}
