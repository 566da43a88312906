/** yodel ctl: looks into a running server, and changes it, over its dashboard's API. */
import type { Command } from '@commander-js/extra-typings'
import { parseAddress, formatAddress } from '../vocabulary/address.ts'
import type {
  BenchRun,
  ConnectionPage,
  Killed,
  ListenerFaults,
  Second,
  ServerInfo,
} from '../dashboard/api.ts'
import { sortKeys } from '../dashboard/contract.ts'
import { ControlClient } from '../engines/control-client.ts'
import { usageError } from '../vocabulary/errors.ts'
import { loadText } from '../report/load-text.ts'
import type { RunResult } from '../report/result.ts'
import { listed } from '../vocabulary/text.ts'
import { parseCount, parseDuration, parseRate, parseSize } from '../vocabulary/units.ts'
import { benchLine, connectionsText, listenerFaultsText, serverText } from './ctl-text.ts'
import { exitCodes } from './exit.ts'
import { fileContent, value } from './flags.ts'
import { canvas, heedInterrupts, onInterrupt, print, showLive, tell } from './output.ts'
import { givenToken } from './token.ts'

const urlDefault = 'http://127.0.0.1:7070'

export function completeCtl(bare: Command): void {
  const ctl = bare
    .option('--url <url>', 'where the dashboard of the server is', urlDefault)
    .option(
      '--token-file <file>',
      'the file that has its token (default: $YODEL_TOKEN)',
      fileContent,
    )
  const client = () => {
    const { url, tokenFile } = ctl.opts()
    return new ControlClient(url, givenToken(tokenFile))
  }
  ctl.hook('preAction', () => heedInterrupts('interrupted before the server had answered'))
  addLooks(ctl, client)
  addKill(ctl, client)
  addFaults(ctl, client)
  addBench(ctl, client)
  ctl
    .command('drain')
    .description('stop accepting, and exit when the clients have gone')
    .action(async () => {
      await client().ask('POST', '/api/drain')
      tell('it is draining')
    })
}

type Parent = Pick<Command, 'command'>
type Client = () => ControlClient

const json = (value: unknown) => print(`${JSON.stringify(value)}\n`)

function addLooks(ctl: Parent, client: Client) {
  ctl
    .command('snapshot')
    .description('the addresses of the server, and its figures of the last second')
    .option('--json', 'as one JSON object')
    .action(async options => {
      const server = await client().ask<ServerInfo>('GET', '/api/server')
      const history = await client().ask<Second[]>('GET', '/api/history')
      const last = history.at(-1)
      if (options.json) json({ server, second: last ?? null })
      else print(serverText(server, last))
    })
  ctl
    .command('connections')
    .description('which clients are connected, and which wait')
    .option('--filter <text>', 'only peers whose address contains this text')
    .option('--sort <column>', listed(sortKeys, 'or'))
    .option('--listener <n>', 'only connections of this listener', value(parseCount))
    .option('--order <order>', 'asc or desc')
    .option('--offset <n>', 'skip this many', value(parseCount))
    .option('--limit <n>', 'at most this many (500 or fewer)', value(parseCount))
    .option('--json', 'as one JSON object')
    .action(async ({ json: asJson, ...options }) => {
      const given = Object.entries(options).map(([name, value]) => [name, `${value}`])
      const query = new URLSearchParams(given as [string, string][])
      const page = await client().ask<ConnectionPage>('GET', `/api/connections?${query.toString()}`)
      if (asJson) return json(page)
      print(connectionsText(page))
    })
}

function addKill(ctl: Parent, client: Client) {
  ctl
    .command('kill')
    .description('close connections')
    .argument('[id...]', 'as `yodel ctl connections` shows them')
    .option('--filter <text>', 'connections whose address contains this text')
    .option('--all', 'every connection')
    .option('--listener <n>', 'with --filter or --all: only of this listener', value(parseCount))
    .action(async (ids, { filter, all, listener }) => {
      const ways = [ids.length > 0, filter !== undefined, all === true].filter(Boolean)
      if (ways.length !== 1)
        throw usageError(
          'Choose the connections to kill in exactly one way.',
          'Give ids, or --filter, or --all.',
        )
      const wanted = {
        ...(filter === undefined ? { all: 'true' } : { filter }),
        ...(listener !== undefined && { listener: `${listener}` }),
      }
      const paths =
        ids.length > 0
          ? ids.map(id => `/${encodeURIComponent(id)}`)
          : [`?${new URLSearchParams(wanted).toString()}`]
      let total = 0
      for (const path of paths) {
        const { killed } = await client().ask<Killed>('DELETE', `/api/connections${path}`)
        total += killed
      }
      tell(`killed ${total}`)
    })
}

function addFaults(ctl: Parent, client: Client) {
  const put = async (faults: string[], listener: number | undefined) => {
    const wanted = { faults, ...(listener !== undefined && { listener }) }
    print(listenerFaultsText(await client().ask<ListenerFaults[]>('PUT', '/api/faults', wanted)))
  }
  const faults = ctl.command('faults').description('show or change how the server misbehaves')
  faults
    .command('show', { isDefault: true })
    .description('list the faults in force')
    .option('--json', 'as one JSON list')
    .action(async options => {
      const list = await client().ask<ListenerFaults[]>('GET', '/api/faults')
      if (options.json) json(list)
      else print(listenerFaultsText(list))
    })
  faults
    .command('set')
    .description('replace the faults by these, in this order')
    .argument('<kind=value...>', 'for example delay=50ms:10%')
    .option('--listener <n>', 'only of that one', value(parseCount))
    .action((wanted, { listener }) => put(wanted, listener))
  faults
    .command('clear')
    .description('remove all faults')
    .option('--listener <n>', 'only of that one', value(parseCount))
    .action(({ listener }) => put([], listener))
  faults
    .command('reset')
    .description('back to the faults with which the server was started')
    .action(async () =>
      print(listenerFaultsText(await client().ask<ListenerFaults[]>('DELETE', '/api/faults'))),
    )
}

/** How often to ask how far it is. */
const pollMs = 250

function addBench(ctl: Parent, client: Client) {
  ctl
    .command('bench')
    .description('make the server send a load to one of its own listeners')
    .argument('[address]', 'which one (default: the first)', value(parseAddress))
    .option('--connections <n>', 'connections', value(parseCount))
    .option('--size <size>', 'bytes in a message', value(parseSize))
    .option('--rate <rate>', 'open loop: messages per second', value(parseRate))
    .option('--duration <duration>', 'how long (default: 5s)', value(parseDuration))
    .option('--json', 'the whole result as JSON')
    .action(async (address, { connections, size, rate, duration, json: asJson }) => {
      const server = await client().ask<ServerInfo>('GET', '/api/server')
      const url = address ? formatAddress(address) : server.listeners[0]!.url
      const wanted = { connections, sizeBytes: size, ratePerSecond: rate, durationMs: duration }
      let run = await client().ask<BenchRun>('POST', '/api/benches', { address: url, ...wanted })
      const stopShowing = showLive(() => benchLine(run))
      const restore = onInterrupt(() => client().ask('DELETE', `/api/benches/${run.id}`))
      try {
        while (run.state === 'running') {
          await new Promise(resolve => setTimeout(resolve, pollMs))
          const runs = await client().ask<BenchRun[]>('GET', '/api/benches')
          run = runs.find(({ id }) => id === run.id) ?? run
        }
      } finally {
        stopShowing()
        restore()
      }
      const result = await client().ask<RunResult>('GET', `/api/benches/${run.id}`)
      if (asJson) json(result)
      else print(loadText(result, canvas(process.stdout)))
      if (result.verdict === 'fail') process.exitCode = exitCodes.failed
      else if (!result.valid) process.exitCode = exitCodes.invalid
    })
}
