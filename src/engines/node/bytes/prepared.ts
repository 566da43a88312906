/** Connects sockets that system calls have made, for options that node:net does not know. */
import { Socket, type SocketConstructorOpts } from 'node:net'
import type { Calling } from '../../../options/calling.ts'
import { reachableFrom } from '../../../options/route.ts'
import { UserError } from '../../../vocabulary/errors.ts'
import type { Libc } from '../../os/libc.ts'
import { addressesOf } from '../../os/resolver.ts'
import { wayTo } from '../../os/sockets.ts'
import { whenConnected } from './connected.ts'

/**
 * Tries one address of a name after the other. The time limit is for all of them together.
 * @throws the system's error, or a UserError if the system does not have an option
 */
export async function dialPrepared(
  libc: Libc,
  { host, port }: { host: string; port: number },
  from: string | undefined,
  calling: Calling,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<Socket> {
  const endMs = performance.now() + timeoutMs
  const errors: unknown[] = []
  const source = from === undefined ? [] : [from]
  for (const each of reachableFrom({ source }, await addressesOf(host))) {
    const fd = wayTo(libc, { transport: 'tcp', host: each, port }, calling).open(from)
    try {
      const socket = new Socket(optionsFor(fd, signal))
      const connected = whenConnected(socket, Math.max(1, endMs - performance.now()))
      socket.connect({ host: each, port })
      return await connected
    } catch (error) {
      if (error instanceof UserError || signal?.aborted) throw error
      errors.push(error)
    }
  }
  throw errors.length === 1 ? errors[0] : new AggregateError(errors)
}

/**
 * Options of a socket that begins to read only when it is connected (manualStart, as in node:tty).
 */
const optionsFor = (fd: number, signal?: AbortSignal) =>
  ({
    fd,
    allowHalfOpen: true,
    readable: true,
    writable: true,
    manualStart: true,
    ...(signal && { signal }),
  }) as SocketConstructorOpts
