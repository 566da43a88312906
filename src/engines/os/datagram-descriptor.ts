/** The descriptor of a socket of node:dgram, for questions to the kernel. */
import type { Socket } from 'node:dgram'

/**
 * Finds the descriptor. Node has no public name for it, and warns if the old private one is used
 * (DEP0112).
 */
export function descriptorOf(socket: Socket): number | undefined {
  const state = Object.getOwnPropertySymbols(socket).find(
    symbol => symbol.description === 'state symbol',
  )
  const inside = state && (socket as unknown as Record<symbol, { handle?: { fd?: number } }>)[state]
  return inside?.handle?.fd
}
