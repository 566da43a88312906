/**
 * Decides which requests are allowed. The dashboard is a web server, and a browser on this machine
 * visits other sites too. So it refuses requests without the token, and requests from pages of
 * other sites: from a page that guessed the address (Origin), from a page whose name now resolves
 * to this machine (DNS rebinding, Host), and from forms (X-Yodel).
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { hostname } from 'node:os'
import { isPublic, type HostAddress } from '../vocabulary/address.ts'
import { usageError } from '../vocabulary/errors.ts'
import { Refused } from './refused.ts'

/**
 * How many different wrong tokens one address may send within a window; then it is refused until
 * the window ends. The same wrong token again is not a guess: it comes from a page that outlived
 * its server and tries again every second.
 */
const failuresMax = 10
const windowMs = 60_000
/** Addresses that are remembered. */
const addressesMax = 1_000
const tokenPattern = /^[\w.~-]{16,128}$/

/** 192 random bits. */
export const randomToken = (): string => randomBytes(24).toString('base64url')

/** @throws UserError if it is not a valid token */
export function checkToken(token: string): string {
  if (tokenPattern.test(token)) return token
  throw usageError(
    'The token of the dashboard has 16 to 128 letters, digits, and . _ ~ -.',
    'Without one the server makes one.',
  )
}

/** The paths that supervisors of a cluster request with any Host; the answer is one word. */
const probes = new Set(['/healthz', '/readyz'])
const changing = new Set(['POST', 'PUT', 'DELETE', 'PATCH'])

export interface AccessOptions {
  /** The token that every request needs; undefined: none is needed. */
  token?: string | undefined
  /**
   * yodel made the token, so it cannot be guessed: the right token is accepted despite wrong ones.
   */
  tokenIsRandom?: boolean | undefined
  /** The metrics need no token, and accept any Host. */
  metricsOpen?: boolean | undefined
}

export class Access {
  readonly #address: HostAddress
  readonly #token: Buffer | undefined
  readonly #cookie: string
  readonly #isRandom: boolean
  readonly #open: ReadonlySet<string>
  readonly #failures = new Map<string, { guesses: Set<string>; since: number }>()

  constructor(address: HostAddress, { token, tokenIsRandom, metricsOpen }: AccessOptions = {}) {
    this.#address = address
    this.#isRandom = tokenIsRandom === true
    this.#open = metricsOpen ? new Set([...probes, '/metrics']) : probes
    this.#token = token === undefined ? undefined : digest(token)
    // A browser sends a cookie to all ports of a host, so each dashboard has a cookie name of its
    // own.
    this.#cookie = `yodel-${address.port}`
  }

  /** @throws Refused if the request is not allowed */
  check(request: IncomingMessage, path: string): void {
    const method = request.method ?? ''
    if (this.isProbe(request, path)) return
    this.#checkHost(request)
    this.#checkOrigin(request)
    if (changing.has(method) && request.headers['x-yodel'] !== '1')
      throw new Refused(403, 'The header X-Yodel: 1 is missing.', 'Send it with every change.')
    this.#checkToken(request)
  }

  /**
   * Whether the request is one that is always answered, under any Host: it reads exactly one of
   * these paths.
   */
  isProbe({ method }: IncomingMessage, path: string): boolean {
    return (method === 'GET' || method === 'HEAD') && this.#open.has(path)
  }

  /** Refuses any other host name: a name server resolved it, so this may be DNS rebinding. */
  #checkHost({ headers }: IncomingMessage) {
    const host = /^(\[[^\]]+\]|[^:]+)(?::\d+)?$/.exec(headers.host ?? '')?.[1]?.toLowerCase()
    if (host !== undefined && this.#isOurs(host.replace(/^\[|\]$/g, ''))) return
    const hint = 'Use the address that yodel printed.'
    throw new Refused(421, 'The Host of the request is not a name of this machine.', hint)
  }

  #isOurs(host: string): boolean {
    if (host === 'localhost' || host === this.#address.host.toLowerCase()) return true
    if (!isPublic(this.#address)) return isIP(host) !== 0 && !isPublic({ ...this.#address, host })
    // A numeric address cannot be rebound. Behind NAT it may be an address that this machine does
    // not have.
    return isIP(host) !== 0 || host === hostname().toLowerCase()
  }

  /** A browser sends the origin of the page; other programs send none. */
  #checkOrigin({ headers }: IncomingMessage) {
    const { origin, host } = headers
    const site = headers['sec-fetch-site']
    const isDocument =
      headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document'
    const foreign =
      (origin !== undefined && origin.toLowerCase() !== `http://${host}`.toLowerCase()) ||
      // A link to the page may come from any site.
      (site !== undefined && site !== 'same-origin' && site !== 'none' && !isDocument)
    if (foreign) throw new Refused(403, 'A page of another site sent this request.')
  }

  #checkToken(request: IncomingMessage) {
    if (!this.#token) return
    const given = this.#given(request)
    const isRight = given !== undefined && timingSafeEqual(digest(given), this.#token)
    if (isRight && this.#isRandom) return
    const from = request.socket.remoteAddress ?? ''
    const now = performance.now()
    const failed = this.#failures.get(from)
    if (failed && now - failed.since >= windowMs) this.#failures.delete(from)
    else if (failed && failed.guesses.size >= failuresMax) {
      const seconds = Math.ceil((failed.since + windowMs - now) / 1e3)
      const message = `Too many wrong tokens from ${from}.`
      const headers = { 'Retry-After': `${seconds}` }
      throw new Refused(429, message, `Wait for ${seconds} seconds.`, headers)
    }
    if (isRight) return
    // A request without a token is not a guess.
    if (given !== undefined) this.#countGuess(from, given, now)
    throw new Refused(
      401,
      given === undefined ? 'The token is missing.' : 'The token is wrong.',
      'Open /?token=TOKEN, or send Authorization: Bearer TOKEN.',
      { 'WWW-Authenticate': 'Bearer' },
    )
  }

  #countGuess(from: string, token: string, now: number) {
    const guess = digest(token).toString('base64')
    const failed = this.#failures.get(from)
    if (failed) failed.guesses.add(guess)
    else {
      if (this.#failures.size >= addressesMax) {
        const [oldest] = this.#failures.keys()
        this.#failures.delete(oldest!)
      }
      this.#failures.set(from, { guesses: new Set([guess]), since: now })
    }
  }

  #given({ headers, url }: IncomingMessage): string | undefined {
    const bearer = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1]
    return bearer ?? this.linkToken(url ?? '') ?? this.#fromCookie(headers.cookie ?? '')
  }

  /** The token of a link to the page, `/?token=TOKEN`. */
  linkToken(url: string): string | undefined {
    if (!url.startsWith('/?')) return undefined
    return new URLSearchParams(url.slice(2)).get('token') ?? undefined
  }

  #fromCookie(text: string): string | undefined {
    const cookies = text.split(';').map(cookie => cookie.trim().split('='))
    return cookies.find(([name]) => name === this.#cookie)?.[1]
  }

  /** Lets the browser keep the token where no script can read it. */
  cookieFor(token: string): string {
    return `${this.#cookie}=${token}; Path=/; HttpOnly; SameSite=Strict`
  }
}

/** Digests have equal lengths, so they can be compared in constant time. */
const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
