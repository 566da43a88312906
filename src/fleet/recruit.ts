/**
 * Before a load begins: chooses the agents, waits until all are connected, and measures how far
 * their clocks differ.
 */
import { toAddress, type Address } from '../vocabulary/address.ts'
import { usageError, UserError } from '../vocabulary/errors.ts'
import { formatDuration, plural } from '../vocabulary/units.ts'
import { prepareBench, type BenchOptions } from '../bench.ts'
import { parseObjective } from '../report/objective.ts'
import type { Load } from '../load/thread-load.ts'
import type { SnapshotSum } from '../metrics/sum.ts'
import { tripsFor } from './clock-offset.ts'
import { abortOf, within } from './deferred.ts'
import type { Fleet } from './fleet.ts'
import { Member } from './member.ts'
import { refuseRoute, sentOptions } from './assignment.ts'

interface Recruiting {
  readonly id: string
  readonly members: Map<string, Member>
  readonly totals: SnapshotSum
}

/** @throws UserError if agents cannot send it */
export function checkPlan(address: string | Address, options: BenchOptions): Load {
  const { agents, ...load } = options
  if (agents === undefined)
    throw usageError('A broker and a token are for agents.', 'Say how many: agents.')
  if (load.slice !== undefined)
    throw usageError('A slice is the load of one machine.', 'Leave --slice or --agents out.')
  if (load.calling?.tls?.key !== undefined)
    throw usageError('The key of a certificate does not leave this machine.', 'Leave --key out.')
  refuseRoute(load)
  const prepared = prepareBench(address, load)
  prepared.expect.forEach(parseObjective)
  const { connections, idle, churnPerSecond, count } = prepared
  const least =
    connections > 0 ? Math.min(connections, count) : churnPerSecond > 0 ? Infinity : idle
  if (least < agents)
    throw usageError(
      `The load is too small for ${plural(agents, 'agent')}: it has only ` +
        `${least === count ? plural(count, 'message') : plural(least, 'connection')}.`,
      'Use fewer agents, or more connections.',
    )
  return prepared
}

/**
 * Invites agents until this many have accepted their shares.
 * @throws UserError
 */
export async function invite(
  run: Recruiting,
  fleet: Fleet,
  address: Address,
  options: BenchOptions,
  signal: AbortSignal,
): Promise<void> {
  const wanted = options.agents!
  const untilMs = performance.now() + fleet.timeoutMs
  const refused = new Set<string>()
  while (run.members.size < wanted) {
    const missing = wanted - run.members.size
    const without = new Set([...run.members.keys(), ...refused])
    const free = () => fleet.roster.free(without)
    const leftMs = Math.max(0, untilMs - performance.now())
    const isEnough = () => fleet.roster.countFree(without) >= missing
    const enough = await fleet.roster.until(isEnough, leftMs, signal)
    signal.throwIfAborted()
    if (!enough) {
      const there = [...run.members.values()].map(({ name }) => name)
      const names = [...there, ...free().map(({ hello }) => hello.name)]
      throw fleet.roster.tooFew(wanted, names, fleet.timeoutMs)
    }
    const numbers = freeNumbers(run, wanted)
    const invited = free()
      .slice(0, missing)
      .map((present, n) => new Member(present, numbers[n]!, run.totals))
    for (const member of invited) ask(run, fleet, address, options, member)
    await eachOf(invited, fleet.timeoutMs, signal, 'did not answer', async member => {
      if ((await member.accepted.promise) === 'accepted') return
      refused.add(member.present.agent)
      run.members.delete(member.present.agent)
    })
  }
}

function freeNumbers({ members }: Recruiting, of: number): number[] {
  const taken = new Set([...members.values()].map(({ number }) => number))
  return Array.from({ length: of }, (_, n) => n + 1).filter(number => !taken.has(number))
}

function ask(
  run: Recruiting,
  fleet: Fleet,
  address: Address,
  options: BenchOptions,
  member: Member,
): void {
  const { present, number } = member
  run.members.set(present.agent, member)
  fleet.say(present, {
    kind: 'assignment',
    run: run.id,
    coordinator: fleet.id,
    number,
    of: options.agents!,
    address: toAddress(address),
    options: sentOptions(options),
    timeoutMs: fleet.timeoutMs,
    embedded: fleet.embedded,
  })
}

/**
 * Waits until all agents are connected and know this clock.
 * @returns by how much an agent may be off at most
 */
export async function synchronize(
  run: Recruiting,
  fleet: Fleet,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<number> {
  const members = [...run.members.values()]
  // Connecting has a limit of its own.
  const connectingMs = timeoutMs + fleet.timeoutMs
  await eachOf(members, connectingMs, signal, 'is not connected', ({ ready }) => ready.promise)
  const sync = { kind: 'sync' as const, run: run.id, ...tripsFor(members.length) }
  for (const { present } of members) fleet.say(present, sync)
  await eachOf(members, fleet.timeoutMs, signal, 'does not answer', async ({ synced }) => {
    await synced.promise
  })
  return Math.max(...members.map(({ clock }) => clock!.errorMs))
}

/** @throws the error of the first agent that fails, or takes longer */
async function eachOf(
  members: readonly Member[],
  ms: number,
  signal: AbortSignal,
  what: string,
  step: (member: Member) => Promise<void>,
): Promise<void> {
  const aborted = abortOf(signal)
  signal.throwIfAborted()
  const steps = members.map(async member => {
    const done = await within(
      step(member).then(() => true),
      ms,
    )
    if (!done)
      throw new UserError(
        'network',
        `Agent ${member.name} ${what} after ${formatDuration(ms)}.`,
        'See the output of that agent.',
      )
  })
  await Promise.race([Promise.all(steps), aborted])
}
