/** Talks to the dashboard of a running server, for `yodel ctl`. */
import type { ApiError } from '../dashboard/api.ts'
import { usageError, UserError } from '../errors.ts'
import { printable } from '../report/printable.ts'

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

const causes: Record<string, string> = {
  ECONNREFUSED: 'nobody listens there',
  ECONNRESET: 'it hung up',
  UND_ERR_SOCKET: 'it hung up',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the name service does not answer',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it speaks no TLS, so write http://',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it speaks no TLS, so write http://',
}

export class ControlClient {
  readonly #base: URL
  readonly #headers: Record<string, string>

  /**
   * @param text the address that the server printed, with or without its token
   * @throws UserError if it is none
   */
  constructor(text: string, token: string | undefined) {
    try {
      this.#base = new URL(
        /^https?:\/\//i.test(text) ? text : `http://${text.replace(/^:/, '127.0.0.1:')}`,
      )
    } catch {
      throw usageError(
        `'${text}' is not the address of a dashboard.`,
        'Write for example http://127.0.0.1:7070.',
      )
    }
    const known = token ?? this.#base.searchParams.get('token')
    this.#headers = { 'X-Yodel': '1', ...(known && { Authorization: `Bearer ${known}` }) }
  }

  /**
   * Asks, and returns what is answered.
   * @throws UserError with the server's own sentence, or if nobody answers
   */
  async ask<T>(method: Method, path: string, body?: object): Promise<T> {
    const response = await this.#fetch(method, path, body)
    const text = await response.text()
    const answered = this.#parse(text)
    if (response.ok) return answered as T
    const { error, hint } = answered as Partial<ApiError>
    const status = response.status === 401 ? 'Give it in YODEL_TOKEN, or with --token-file.' : ''
    const sentence = error ?? `It answered with ${response.status}.`
    throw usageError(printable(sentence), printable(status || (hint ?? '')))
  }

  async #fetch(method: Method, path: string, body: object | undefined): Promise<Response> {
    try {
      return await fetch(new URL(path, this.#base.origin), {
        method,
        redirect: 'error',
        headers: { ...this.#headers, ...(body && { 'Content-Type': 'application/json' }) },
        ...(body && { body: JSON.stringify(body) }),
      })
    } catch (error) {
      const { code = '', message } = ((error as Error).cause ?? error) as NodeJS.ErrnoException
      // That of OpenSSL has lines.
      const cause = causes[code] ?? message.trim().split('\n')[0]
      throw new UserError(
        'network',
        `Cannot reach the dashboard at ${this.#base.origin}: ${cause}${code && ` (${code})`}.`,
        'Start a server with `yodel serve --dashboard`, or say where it is with --url.',
      )
    }
  }

  #parse(text: string): unknown {
    try {
      return JSON.parse(text) as unknown
    } catch {
      throw new UserError(
        'network',
        `${this.#base.origin} is no dashboard of yodel.`,
        'Say with --url what `yodel serve --dashboard` printed.',
      )
    }
  }
}
