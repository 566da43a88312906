/** Refuses a load that needs more descriptors than the limit, before anything is sent. */
import { formatAddress } from '../vocabulary/address.ts'
import { descriptorLimit, descriptorsOpen } from '../engines/os/descriptors.ts'
import { engines } from '../engines/index.ts'
import { UserError } from '../vocabulary/errors.ts'
import type { LoadTask } from '../task.ts'
import { formatCount, plural } from '../vocabulary/units.ts'

/**
 * How many descriptors a thread of Node needs: it has five, and opens a few more while it loads
 * modules.
 */
const ofThread = 8

/** @throws UserError if there are too few descriptors, where their number is known */
export function checkDescriptors(tasks: readonly [LoadTask, ...LoadTask[]]): void {
  const limit = descriptorLimit()
  const held = tasks.map(({ connections, idle }) => connections + idle)
  const wanted = held.reduce((sum, count) => sum + count, 0)
  const { engine, address } = tasks[0]
  const { tabled = false } = engines[engine]
  const most = tabled ? limit * tasks.length : roomBeside(tasks.length)
  if (tabled ? Math.max(...held) <= limit : wanted <= most) return
  throw tooFew(formatAddress(address), most, wanted)
}

/**
 * Refuses connections from this thread for which there are too few descriptors.
 * @throws UserError
 */
export function checkRoom(wanted: number): void {
  const most = roomBeside(0)
  if (wanted > most) throw tooFew('the servers', most, wanted)
}

/**
 * Descriptors left for connections, without those that are open and those that the threads need.
 */
const roomBeside = (threads: number): number =>
  Math.max(0, descriptorLimit() - descriptorsOpen() - threads * ofThread)

const tooFew = (target: string, most: number, wanted: number): UserError =>
  new UserError(
    'network',
    `Cannot connect to ${target}: there are descriptors for ${plural(most, 'connection')}, ` +
      `and ${formatCount(wanted)} are wanted.`,
    `Raise \`ulimit -n\`, which is ${formatCount(descriptorLimit())}.`,
  )
