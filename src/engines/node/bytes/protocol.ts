/** The echo of a stream of bytes, in the clear or decrypted: directly, or through faults. */
import type { CreateProtocol } from '../core/protocol.ts'
import { createEcho } from './echo.ts'

export const createBytes: CreateProtocol = async (task, meter) => {
  const plain = createEcho(meter)
  if (!task.faults) return { echo: plain }
  const { createFaultyEcho } = await import('../core/faulty-echo.ts')
  const { BytePeer } = await import('./peer.ts')
  const echo = createFaultyEcho(task, meter, socket => new BytePeer(socket, meter), plain)
  return { echo, setFaults: faults => echo.setFaults(faults) }
}
