/** The echo of a stream of bytes, in the clear or decrypted: directly, or through faults. */
import type { Socket } from 'node:net'
import type { CreateProtocol } from '../core/protocol.ts'
import type { EchoHandler } from '../core/protocol.ts'
import { createEcho } from './echo.ts'

export const createBytes: CreateProtocol = async (task, meter, { holdBack }) => {
  if (task.reply !== 'echo') {
    const { createCharacters, createDiscard } = await import('./old-services.ts')
    return { echo: (task.reply === 'discard' ? createDiscard : createCharacters)(meter) }
  }
  const plain = createEcho(meter, holdBack)
  let faults = task.faults ?? []
  const serving = async (echo: EchoHandler): Promise<EchoHandler> => {
    if (!task.directions) return echo
    const { withSessions } = await import('../direction/gate.ts')
    const timeoutMs = task.handshakeTimeoutMs
    return withSessions(echo, { meter, timeoutMs, bypassed: () => faults.length > 0 })
  }
  if (!task.faults) return { echo: await serving(plain) }
  const { createFaultyEcho } = await import('../core/faulty-echo.ts')
  const { BytePeer } = await import('./peer.ts')
  const peerOf = (socket: Socket) => new BytePeer(socket, meter, holdBack)
  const echo = createFaultyEcho(task, meter, peerOf, plain)
  return {
    echo: await serving(echo),
    setFaults(others) {
      faults = others
      echo.setFaults(others)
    },
  }
}
