/** Talks to the control API of a running server: for `yodel ctl` and `yodel check --control`. */
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import { text as all } from 'node:stream/consumers'
import { checkServerIdentity, type PeerCertificate } from 'node:tls'
import { usageError, UserError } from '../vocabulary/errors.ts'
import { printable } from '../vocabulary/text.ts'
import { formatDuration } from '../vocabulary/units.ts'
import { errnoOf } from './failures.ts'

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

interface ControlAnswer {
  status: number
  text: string
}

const causes: Record<string, string> = {
  ERR_SSL_WRONG_VERSION_NUMBER: 'it speaks no TLS, so write http://',
  ECONNREFUSED: 'no server listens there',
  ECONNRESET: 'it reset the connection',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the name service does not answer',
}

export class ControlClient {
  readonly #base: URL
  /**
   * The zone of an IPv6 address: it has a meaning on this machine only, and is not sent (RFC 9844).
   */
  readonly #zone: string
  readonly #headers: Record<string, string>
  readonly #answerMs: number | undefined

  /**
   * @param text the address that the server printed, with or without its token
   * @param answerMs how long an answer may take; undefined: for ever
   * @throws UserError if the text is not such an address
   */
  constructor(text: string, token: string | undefined, answerMs?: number) {
    this.#answerMs = answerMs
    const url = /^https?:\/\//i.test(text) ? text : `http://${text.replace(/^:/, '127.0.0.1:')}`
    const [, front = '', zone = ''] = /^([^/]*\/\/\[[^\]%]*)(%[^\]/?#]+)\]/.exec(url) ?? []
    this.#zone = zone
    try {
      this.#base = new URL(front + url.slice((front + zone).length))
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
   * Sends a request and returns the answer. @throws UserError with the server's own sentence, or if
   * no server answers
   */
  async ask<T>(method: Method, path: string, body?: object): Promise<T> {
    const { status, text } = await this.#request(method, path, body)
    const answered = this.#parse(text)
    if (status >= 200 && status < 300) return answered as T
    const { error, hint } = answered as { error?: string; hint?: string }
    const advice = status === 401 ? 'Give it in YODEL_TOKEN, or with --token-file.' : ''
    const sentence = error ?? `It answered with ${status}.`
    throw usageError(printable(sentence), printable(advice || (hint ?? '')))
  }

  async #request(method: Method, path: string, body: object | undefined): Promise<ControlAnswer> {
    const ms = this.#answerMs
    const late = ms === undefined ? undefined : AbortSignal.timeout(Math.ceil(ms))
    try {
      return await this.#send(method, path, body && JSON.stringify(body), late)
    } catch (error) {
      const { message } = error as Error
      if (late?.aborted)
        throw new UserError(
          'network',
          `The dashboard at ${this.#place} gave no answer within ${formatDuration(ms!)}.`,
        )
      // Node gives the system's errors a code; for those of OpenSSL the code is only in the
      // message.
      const isPlain = /wrong.version.number|packet.length.too.long/i.test(message)
      const code = isPlain ? 'ERR_SSL_WRONG_VERSION_NUMBER' : errnoOf(error)
      // A message of OpenSSL has several lines.
      const cause = causes[code] ?? message.trim().split('\n')[0]
      throw new UserError(
        'network',
        `Cannot reach the dashboard at ${this.#place}: ${cause}${code && ` (${code})`}.`,
        'Start a server with `yodel serve --dashboard`, and give the address that it prints.',
      )
    }
  }

  /** Not fetch(): its URLs have no zones. */
  #send(
    method: Method,
    path: string,
    body: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<ControlAnswer> {
    const { protocol, port, host } = this.#base
    const name = this.#base.hostname.replace(/^\[|\]$/g, '')
    const options = {
      method,
      path,
      ...(signal && { signal }),
      host: name + this.#zone,
      port,
      headers: {
        ...this.#headers,
        Host: host,
        ...(body !== undefined && {
          'Content-Type': 'application/json',
          'Content-Length': Buffer.byteLength(body),
        }),
      },
      checkServerIdentity: (_: string, certificate: PeerCertificate) =>
        checkServerIdentity(name, certificate),
    }
    return new Promise((resolve, reject) => {
      const onAnswer = (response: IncomingMessage) => {
        const answer = all(response).then(text => ({ status: response.statusCode!, text }))
        answer.then(resolve, reject)
      }
      const request = protocol === 'https:' ? https.request : http.request
      request(options, onAnswer).on('error', reject).end(body)
    })
  }

  #parse(text: string): unknown {
    try {
      return JSON.parse(text) as unknown
    } catch {
      throw new UserError(
        'network',
        `${this.#place} is not a dashboard of yodel.`,
        'Write what `yodel serve --dashboard` printed.',
      )
    }
  }

  /** The address as it is shown to the user. */
  get #place(): string {
    const { origin } = this.#base
    return this.#zone === '' ? origin : origin.replace(']', `${this.#zone}]`)
  }
}
