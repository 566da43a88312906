/** Connects to a WebSocket server, over a socket that is connected already. */
import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { WebSocket } from 'ws'
import { formatAddress, withoutZone, type HostAddress } from '../../../vocabulary/address.ts'
import { asObject, headersOf } from '../../../wire/http/headers.ts'
import { answered, unsuited, upgradeCut, upgradeLate } from '../../../wire/ws/client-upgrade.ts'
import { errnoOf } from '../../failures.ts'
import type { Link, Target } from '../core/link.ts'
import { afterTimeout } from '../core/patience.ts'
import { anyFragments, joinFragments } from './fragments.ts'
import { MessageStream } from './message-stream.ts'

/** The longest message, so that a server cannot fill the memory; servers have a lower limit. */
const messageMaxBytes = 2 ** 30

/**
 * Asks for the upgrade (RFC 6455 section 4.1), without compression and subprotocols.
 * @throws UserError if the server answers, but is not a WebSocket server
 */
export function openMessages(lower: Link, target: Target, timeoutMs: number): Promise<Link> {
  const { address, calling } = target
  const socket = lower.stream as Socket
  const url = formatAddress(address)
  const { host } = address as HostAddress
  const sentUrl = formatAddress({ ...(address as HostAddress), host: withoutZone(host) })
  return new Promise((resolve, reject) => {
    const ws = new WebSocket(sentUrl, {
      perMessageDeflate: false,
      headers: asObject(headersOf(calling)),
      maxPayload: messageMaxBytes,
      // See MessageStream.
      autoPong: false,
      ...anyFragments,
      // The socket is connected, and TLS is done if there is any.
      createConnection: () => socket,
    })
    const fail = (error: Error) => {
      done()
      socket.destroy()
      reject(error)
    }
    const done = afterTimeout(timeoutMs, () => fail(upgradeLate()))
    // If an error comes before the request is sent, only the socket emits it.
    const lost = () => fail(explained(url, socket.errored ?? new Error(hungUp)))
    if (socket.destroyed) return lost()
    socket.once('close', lost)
    ws.on('error', error => fail(explained(url, error)))
    ws.on('unexpected-response', (_: ClientRequest, response: IncomingMessage) =>
      fail(answered(url, response.statusCode!, response.statusMessage!)),
    )
    ws.on('open', () => {
      done()
      socket.off('close', lost)
      ws.removeAllListeners()
      joinFragments(ws, socket)
      const messages = new MessageStream(ws, socket)
      // An error before a listener is there shows as a destroyed stream, not as a crash.
      messages.on('error', () => {})
      resolve({
        stream: messages,
        below: socket,
        get details() {
          return lower.details
        },
        ping: () => messages.ping(),
      })
    })
  })
}

/** The text of Node's error. */
const hungUp = 'socket hang up'

/** Explains an error; errors of the system and of TLS stay unchanged. */
function explained(url: string, error: Error): Error {
  const code = errnoOf(error)
  // Node reports an end during the answer as a reset.
  if (error.message === hungUp) return upgradeCut(url)
  if (/^(E[A-Z]+|ERR_SSL_.*)$/.test(code)) return error
  const why = code.startsWith('HPE_') ? 'it does not answer in HTTP' : decapitalised(error.message)
  return unsuited(url, why)
}

const decapitalised = (text: string) => text.charAt(0).toLowerCase() + text.slice(1)
