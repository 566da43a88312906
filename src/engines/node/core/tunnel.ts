/** Connects through an HTTP proxy: what follows its answer is the stream to the server. */
import type { Socket } from 'node:net'
import { formatAddress, hostInUrl, type HostAddress } from '../../../vocabulary/address.ts'
import { UserError } from '../../../vocabulary/errors.ts'
import type { Proxy } from '../../../options/route.ts'
import { connectRequest, readTunnelAnswer } from '../../../wire/http/tunnel.ts'
import { errnoOf } from '../../failures.ts'
import { peek } from './peek.ts'
import { afterTimeout } from './patience.ts'

/** @throws UserError if the proxy refuses the tunnel */
export async function throughProxy(
  socket: Socket,
  address: HostAddress,
  proxy: Proxy,
  timeoutMs: number,
): Promise<void> {
  const target = `${hostInUrl(address.host)}:${address.port}`
  const done = afterTimeout(timeoutMs, () => {
    socket.destroy(Object.assign(new Error('the proxy did not answer'), { code: 'ETIMEDOUT' }))
  })
  try {
    socket.write(connectRequest(target, proxy.credentials))
    const answer = await peek(socket, readTunnelAnswer)
    if ('refusedBecause' in answer) throw refusal(address, proxy, answer.refusedBecause)
    // Reads exactly the head: what follows comes from the server.
    socket.read(answer.headBytes)
  } catch (error) {
    throw error instanceof UserError ? error : unreachable(address, proxy, error)
  } finally {
    done()
  }
}

const nameOf = ({ host, port }: Proxy) => `http://${hostInUrl(host)}:${port}`

const refusal = (address: HostAddress, proxy: Proxy, why: string) =>
  new UserError(
    'network',
    `Cannot connect to ${formatAddress(address)}: the proxy ${nameOf(proxy)} refuses: ${why}.`,
    'Ask the operator of the proxy, or check --proxy and its credentials.',
  )

/** The error if the proxy itself cannot be reached, or breaks the connection. */
export function unreachable(address: HostAddress, proxy: Proxy, error: unknown): UserError {
  const why = errnoOf(error) || (error as Error).message
  return new UserError(
    'network',
    `Cannot connect to ${formatAddress(address)}: the proxy ${nameOf(proxy)} does not answer ` +
      `(${why}).`,
    'Check --proxy.',
  )
}
