/** yodel serve: echo whatever arrives. */
import type { Command } from '@commander-js/extra-typings'
import { defaultAddress, formatAddress, isPublic, parseAddress } from '../vocabulary/address.ts'
import { usageError } from '../vocabulary/errors.ts'
import { serve, type ServeOptions, type Server } from '../serve.ts'
import { fromFlags, option, type Kind, type Option } from '../options/form.ts'
import { list, whether } from '../options/kinds.ts'
import { askedFor, isForTransport } from '../options/where.ts'
import { commonOptions, faultOptions, serveOptions, transportOptions } from '../options/serve.ts'
import { plural } from '../vocabulary/units.ts'
import { activatedSockets, parseFd, type Inherited } from './activation.ts'
import { faultFlags, faultsOf, inject } from './faults.ts'
import { isUdp, risk, warnings } from './udp-text.ts'
import { openLog, type Log } from './log.ts'
import { addTables, type Tables } from './option-flags.ts'
import { onInterrupt, print, showLive } from './output.ts'
import { servedText, servingText, totalOf } from './counts-text.ts'
import { servingOf } from './serve-options.ts'
import { announceWatch, watch, type Watch } from './server-watch.ts'
import { Typed } from './typed.ts'
import { watchingOf, watchOptions } from './watch-options.ts'

export function completeServe(bare: Command): void {
  const command = bare.argument(
    '[address...]',
    `where to listen (default: ${formatAddress(defaultAddress)})`,
  )
  addTables(command, serveTables)
  const typed = new Typed(command)
  command.action(async (texts, flags) => {
    const serving = servingOf(flags)
    const watching = watchingOf(flags)
    const faulting = faultsOf(flags)
    const { json = false, fd = [] } = fromFlags(socketOptions, flags)
    const inherited = [...activatedSockets(process.env), ...fd]
    const given: ListenEndpoint[] = [
      ...texts.map(text => ({ address: parseAddress(text) })),
      ...inherited,
    ]
    const log = await openLog(watching.logLevel, watching.quiet)
    const endpoints = given.length > 0 ? given : [{ address: defaultAddress }]
    checkUsed(serving, endpoints)
    const { faults, optionsFor, script, closeLog } = inject(faulting, endpoints.length, log)
    // A client that can reach the server may stop it at once: it must then leave in good order.
    const signal = firstSignal()
    const servers = await startAll(endpoints, n => ({
      ...serving,
      ...optionsFor(n),
      // Faults that may come later slow no client, so they must not change which engine is chosen.
      faultsLater: watching.dashboard !== undefined,
      ledger: (watching.dashboard ?? watching.health) !== undefined || log.writes('debug'),
    }))
    const { proxy } = serving
    const watched = watch(servers, { ...watching, faults, script, typed, log, proxy })
    const watcher = await watched.catch(async (error: unknown) => {
      await closeAll(servers)
      throw error
    })
    const closed = untilClosed(servers, watcher, log, signal)
    // Several addresses usually have the same note: print it once.
    for (const note of new Set(servers.flatMap(server => server.notes))) log.say('info', note)
    for (const server of servers) {
      for (const warning of warnings(server, serving)) log.say('warn', warning)
      announce(server, json, log)
    }
    announceWatch(watcher, json, log)
    await closed
    closeLog()
  })
}

/** If the server leaves within this time, no line about waiting clients is printed. */
const quickMs = 100

const fd: Kind<Inherited> = {
  placeholder: '<n>',
  parse: parseFd,
  format: ({ fd, address }) => [`${fd}=${address.transport}`],
  mistake: () => undefined,
}
const socketOptions = {
  fd: option(list(fd), {
    default: undefined,
    flag: 'fd',
    help: 'serve a socket that is open already: 3 or 3=tls; repeatable',
    where: serveOptions.inheritedFd.where!,
  }),
  json: option(whether(), {
    default: false,
    flag: 'json',
    help: 'one JSON object per line on stdout',
  }),
}

export const serveTables: Tables = [
  [undefined, commonOptions],
  [undefined, socketOptions],
  ['Faults:', faultOptions],
  ['Faults:', faultFlags],
  ['Transports:', transportOptions],
  ['Watching:', watchOptions],
]

type ListenEndpoint = Partial<Inherited> & Pick<Inherited, 'address'>

/** With several addresses an option may apply to some of them, but must apply to one at least. */
function checkUsed(serving: ServeOptions, endpoints: ListenEndpoint[]) {
  const isUsed = (row: Pick<Option<unknown>, 'where'>) =>
    endpoints.some(({ address }) => isForTransport(row, address.transport))
  const vain = askedFor(serveOptions, serving).find(row => !row.where?.reason && !isUsed(row))
  if (!vain) return
  const names = vain.where!.transports
  throw usageError(
    `--${vain.flag} is for ${names.join(', ')}, and no address is one of these.`,
    `Listen on ${names[0]}://, or leave it out.`,
  )
}

/** Starts all servers, or none. */
async function startAll(endpoints: ListenEndpoint[], optionsFor: (n: number) => ServeOptions) {
  const servers: Server[] = []
  try {
    for (const [n, { address, fd }] of endpoints.entries())
      servers.push(await serve(address, { ...optionsFor(n), inheritedFd: fd }))
  } catch (error) {
    await closeAll(servers)
    throw error
  }
  return servers
}

const closeAll = (servers: Server[]) =>
  Promise.allSettled(servers.map(server => server.close('now')))

function announce(server: Server, json: boolean, log: Log) {
  const { address, url, engine, fingerprint } = server
  if (isPublic(address))
    log.say('warn', `${url} can be reached from other machines; ${risk(server)}`)
  const pid = process.pid
  log.event('info', 'listening', { address: url, engine })
  if (server.madeCertificate)
    log.say('info', `the certificate of ${url} was made just now; ${howToConnect(server)}`)
  if (json)
    print(`${JSON.stringify({ event: 'listening', address: url, engine, pid, fingerprint })}\n`)
  else print(`yodel: listening on ${url}\n`)
}

/** The command for a client on this machine, which trusts only this certificate. */
function howToConnect({ address, url, fingerprint }: Server): string {
  if ('host' in address && address.host.startsWith('unix:')) return `its SHA-256 is ${fingerprint}`
  // The wildcard addresses cannot be connected to.
  const reachable = url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:')
  return `connect: yodel connect ${reachable} --pin ${fingerprint}`
}

/** Resolves with the first SIGINT or SIGTERM from now on; the second one leaves at once. */
function firstSignal() {
  let restore = () => {}
  const came = new Promise<void>(resolve => (restore = onInterrupt(resolve)))
  return { came, restore }
}

/** Serves until a signal, or until the servers leave by themselves; then prints a summary. */
async function untilClosed(
  servers: Server[],
  watcher: Watch,
  log: Log,
  signal: ReturnType<typeof firstSignal>,
) {
  const stopShowing = log.isForPeople ? showLive(servingText(servers)) : () => {}
  let patience: NodeJS.Timeout | undefined
  void signal.came.then(() => {
    stopShowing()
    watcher.setDraining()
    for (const server of servers) void server.close()
    // Printed only if the servers take a moment to leave.
    patience = setTimeout(() => {
      const isIdle = !servers.every(isUdp) && totalOf(servers, 'open') === 0
      if (isIdle) return
      const clients = `${plural(totalOf(servers, 'open'), 'client')} may finish`
      const rest = servers.every(isUdp) ? 'datagrams that have come are answered' : clients
      log.say('info', `stopping; ${rest}. A second signal ends it at once.`)
    }, quickMs)
  })
  // With --one-off the first server that leaves ends the others too.
  await Promise.race(servers.map(server => server.closed)).catch(async (defect: unknown) => {
    // If one server crashes, the others stop too: the command then ends with an error.
    await closeAll(servers)
    await watcher.close()
    throw defect
  })
  await Promise.all(servers.map(server => server.close()))
  await watcher.close()
  clearTimeout(patience)
  stopShowing()
  signal.restore()
  log.say('info', servedText(servers))
  log.flush()
}
