/** Where a broker is, and which brokers need no token. */
import { isIPv6 } from 'node:net'
import { usageError } from '../vocabulary/errors.ts'
import { isPublic } from '../vocabulary/address.ts'
import { hostInUrl } from '../vocabulary/address.ts'

export interface BrokerUrl {
  secure: boolean
  host: string
  port: number
  /** Name and password at the broker; undefined: derived from the token. */
  username: string | undefined
  password: string | undefined
}

export const usualBroker = 'mqtt://127.0.0.1:1883'
export const brokerVariable = 'YODEL_BROKER'
const example = `Write for example ${usualBroker} or mqtts://broker.example:8883.`

/** @throws UserError if the text is not a URL of a broker */
export function parseBrokerUrl(text: string): BrokerUrl {
  const found = /^(mqtts?):\/\/(?:([^@]*)@)?(\[[^\]]+\]|[^:/@[\]]+)(?::(\d{1,5}))?\/?$/i.exec(text)
  // A URL may contain secrets, so it is not quoted.
  if (!found) throw usageError('That is not a URL of a broker.', example)
  const [, scheme, user, hostText, portText] = found as unknown as [
    string,
    string,
    string | undefined,
    string,
    string | undefined,
  ]
  const secure = scheme.toLowerCase() === 'mqtts'
  const host = hostText.startsWith('[') ? hostText.slice(1, -1) : hostText
  const port = portText === undefined ? (secure ? 8883 : 1883) : Number(portText)
  if (port > 65_535 || (hostText.startsWith('[') && !isIPv6(host)))
    throw usageError('That is not a URL of a broker.', example)
  const [username, ...password] = user?.split(':') ?? []
  return {
    secure,
    host,
    port,
    username: username === undefined ? undefined : decoded(username),
    password: password.length > 0 ? decoded(password.join(':')) : undefined,
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw usageError('The name or password of the broker is not encoded as in a URL.', example)
  }
}

/** The URL without name and password, for messages. */
export const shownBroker = ({ secure, host, port }: BrokerUrl): string =>
  `mqtt${secure ? 's' : ''}://${hostInUrl(host)}:${port}`

/**
 * Refuses a URL with a password as an argument: `ps` shows arguments to every user of the machine.
 * @throws UserError
 */
export function withoutSecret(text: string): string {
  const { password } = parseBrokerUrl(text)
  if (password === undefined) return text
  throw usageError(
    'A password on the command line is seen by every user of this machine (ps).',
    `Put the URL into ${brokerVariable}.`,
  )
}

export const isElsewhere = ({ host }: BrokerUrl): boolean =>
  isPublic({ transport: 'tcp', host, port: 1 })

const tokenHint = 'Give a token by --token-file or YODEL_FLEET_TOKEN, the same on all machines.'
const tokenLeast = 16

/** @throws UserError without a token where one is needed, or with one that is too short */
export function checkBrokerToken(url: BrokerUrl, token: string | undefined): void {
  if (token !== undefined && token.length < tokenLeast)
    throw usageError(`The token has ${token.length} characters.`, `Use ${tokenLeast} or more.`)
  if (token === undefined && isElsewhere(url))
    throw usageError(`${shownBroker(url)} is not on this machine.`, tokenHint)
}

/**
 * Checks the URL of a broker that is started here.
 * @throws UserError
 */
export function checkListening(url: BrokerUrl): void {
  if (url.username !== undefined)
    throw usageError('A broker that is started here takes no name and password, only the token.')
  if (isElsewhere(url) && !url.secure)
    throw usageError(
      `${shownBroker(url)} can be reached by other machines, and is not encrypted.`,
      `Use mqtts://, for which a certificate is made: mqtts://${hostInUrl(url.host)}:8883.`,
    )
}
