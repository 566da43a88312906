/** yodel serve: echo whatever arrives. */
import type { Command } from '@commander-js/extra-typings'
import { defaultAddress, formatAddress, isPublic, parseAddress } from '../address.ts'
import { faultKinds, type FaultSpec } from '../faults/index.ts'
import { parseFault } from '../faults/parse.ts'
import { serve, type Server } from '../serve.ts'
import type { Snapshot } from '../metrics/snapshot.ts'
import { formatSize, parseCount, parseDuration, plural } from '../units.ts'
import { activatedSockets, parseFd, type Inherited } from './activation.ts'
import { addAll, engineFlag, parseLimit, value } from './flags.ts'
import { servingOf, servingOptions } from './serving.ts'
import { onInterrupt, print, showLive, tell } from './output.ts'

export function addServe(program: Command): void {
  const command = program
    .command('serve')
    .description('echo whatever arrives')
    .argument('[address...]', `where to listen (default: ${formatAddress(defaultAddress)})`)
    .option('--concurrency <n>', 'clients served at a time; others wait', value(parseLimit))
    .addOption(engineFlag())
    .option('--threads <n>', 'threads that share each port', value(parseCount))
    .option('--idle-timeout <duration>', 'close what is idle; 0: never (default: 1h)', duration)
    .option('--drain <duration>', 'patience with clients at the end (default: 5s)', duration)
    .option('--busy-poll <duration>', 'look for work so long before sleeping (uring)', duration)
    .option('--one-off', 'leave after the first client')
    .option('--fault <kind=value>', `misbehave: ${faultKinds.join(', ')}; repeatable`, faults)
    .option('--seed <n>', 'of the faults: the same seed, the same faults (default: 1)', count)
    .option('--fd <n>', 'serve a socket that is open already: 3 or 3=tls; repeatable', fds)
    .option('--json', 'one JSON object per line on stdout')
  addAll(command, servingOptions())
  command.action(async (texts, flags) => {
    const { serving, rest } = servingOf(flags)
    const { json, fd = [], idleTimeout, drain, busyPoll, fault, ...options } = rest
    const inherited = [...activatedSockets(process.env), ...fd]
    const given: Place[] = [...texts.map(text => ({ address: parseAddress(text) })), ...inherited]
    const servers = await startAll(given.length > 0 ? given : [{ address: defaultAddress }], {
      ...options,
      ...serving,
      faults: fault,
      idleTimeoutMs: idleTimeout,
      drainMs: drain,
      busyPollUs: busyPoll === undefined ? undefined : busyPoll * 1e3,
    })
    // Signals are heeded from here on: whoever reads that it listens may send one at once.
    const closed = untilClosed(servers)
    // Several addresses mostly have the same note.
    for (const note of new Set(servers.flatMap(server => server.notes))) tell(note)
    for (const server of servers) announce(server, json === true)
    await closed
  })
}

/** Leaving so quickly needs no word. */
const quickMs = 100

const duration = value(parseDuration)
const count = value(parseCount)
/** Each one goes behind those before it. */
const faults = (text: string, before: FaultSpec[] = []): FaultSpec[] => [
  ...before,
  value(parseFault)(text),
]

const fds = (text: string, before: Inherited[] = []) => [...before, value(parseFd)(text)]

type Place = Partial<Inherited> & Pick<Inherited, 'address'>

/** All or none. */
async function startAll(places: Place[], options: Parameters<typeof serve>[1]) {
  const servers: Server[] = []
  try {
    for (const { address, fd } of places)
      servers.push(await serve(address, { ...options, inheritedFd: fd }))
  } catch (error) {
    await Promise.all(servers.map(server => server.close('now')))
    throw error
  }
  return servers
}

function announce(server: Server, json: boolean) {
  const { address, url, engine, fingerprint } = server
  if (isPublic(address)) tell(`${url} can be reached from other machines; whoever does is echoed.`)
  const pid = process.pid
  if (server.madeCertificate)
    tell(`its certificate was made just now; connect: ${connectCommand(server)}`)
  if (json)
    print(`${JSON.stringify({ event: 'listening', address: url, engine, pid, fingerprint })}\n`)
  else print(`yodel: listening on ${url}\n`)
}

/** What to type on this machine; it trusts this certificate alone. */
function connectCommand({ url, fingerprint }: Server): string {
  // Nobody is called by the addresses that stand for all.
  const reachable = url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:')
  return `yodel connect ${reachable} --pin ${fingerprint}`
}

/** Serves until a signal, or until the servers leave by themselves; then says what there was. */
async function untilClosed(servers: Server[]) {
  const total = (count: (snapshot: Snapshot) => number) =>
    servers.reduce((sum, server) => sum + count(server.snapshot()), 0)
  let before = { chunks: 0, bytes: 0, atMs: performance.now() }
  const stopShowing = showLive(() => {
    const now = {
      chunks: total(({ chunks }) => chunks),
      bytes: total(({ bytesIn }) => bytesIn),
      atMs: performance.now(),
    }
    const seconds = (now.atMs - before.atMs) / 1e3
    const line =
      `${plural(
        total(({ open }) => open),
        'client',
      )} now, ${total(({ closed }) => closed)} before  ` +
      `${plural((now.chunks - before.chunks) / seconds, 'chunk')}/s  ` +
      `${formatSize((now.bytes - before.bytes) / seconds)}/s`
    before = now
    return line
  })
  let patience: NodeJS.Timeout | undefined
  const restore = onInterrupt(() => {
    stopShowing()
    for (const server of servers) void server.close()
    // Most servers have left before anybody could read it.
    patience = setTimeout(() => {
      const open = plural(
        total(({ open }) => open),
        'client',
      )
      tell(`stopping; ${open} may finish. Again to leave at once.`)
    }, quickMs)
  })
  // With --one-off the first who leaves takes the others along.
  await Promise.race(servers.map(server => server.closed)).catch(async (defect: unknown) => {
    // One that crashed must not leave the others serving behind an error.
    await Promise.allSettled(servers.map(server => server.close('now')))
    throw defect
  })
  await Promise.all(servers.map(server => server.close()))
  clearTimeout(patience)
  stopShowing()
  restore()
  const clients = plural(
    total(({ opened }) => opened),
    'client',
  )
  const echoed = formatSize(total(({ bytesOut }) => bytesOut))
  const failed = total(({ handshakesFailed }) => handshakesFailed)
  const handshakes = failed > 0 ? `, ${plural(failed, 'handshake')} failed` : ''
  const injected = total(({ faultsInjected }) => faultsInjected)
  const faults = injected > 0 ? `, ${plural(injected, 'fault')} injected` : ''
  tell(`served ${clients}, ${echoed} echoed${handshakes}${faults}`)
}
