/** What a layer may do with a connection, as Connections does it. */
import type { ClientLedger } from './client-ledger.ts'
import type { Wire } from './layer.ts'
import type { Outgoing } from './outgoing.ts'
import * as bit from './state.ts'
import type { SlotTable } from './table.ts'

/**
 * @param stopReceiving cancels the receive of a connection
 * @param giveUp closes a connection, whatever is in flight
 */
export function wireOf(
  { table, out }: { table: SlotTable; out: Outgoing },
  ledger: ClientLedger | undefined,
  stopReceiving: (slot: number) => void,
  giveUp: (slot: number) => void,
): Wire {
  return {
    send(slot, at, length, stays) {
      if (!(table.state[slot]! & bit.DEAD)) out.send(slot, at, length, stays)
    },
    sendBytes(slot, bytes) {
      if (!(table.state[slot]! & bit.DEAD)) out.sendBytes(slot, bytes)
    },
    leave(slot, reason) {
      table.state[slot]! |= bit.LEAVING
      if (reason !== undefined) ledger?.closing(slot, reason)
      out.sends.later(slot)
    },
    end(slot, reason) {
      table.state[slot]! |= bit.ENDED
      if (reason !== undefined) ledger?.closing(slot, reason)
      stopReceiving(slot)
      out.sends.later(slot)
    },
    refuse(slot, reason) {
      ledger?.closing(slot, reason)
      giveUp(slot)
    },
    later: slot => out.sends.later(slot),
  }
}
