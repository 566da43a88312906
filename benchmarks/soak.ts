/** npm run soak: random clients against a real server process; exit code 1 on trouble. */
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { ServeOptions } from 'yodel'
import { Campaign, growthMaxBytes, type Epoch } from './soak-campaign.ts'
import { misusedTransports, soakMisuse } from './soak-misuse.ts'

const { values: flags } = parseArgs({
  options: {
    /** For each engine. */
    minutes: { type: 'string', default: '3' },
    /** Instead of minutes: the short form. */
    seconds: { type: 'string' },
    /** One of them; without it, all that do not refuse. */
    engine: { type: 'string' },
    /** Of tls, ws, wss, http, https: clients that misuse it, and well-behaved ones among them. */
    transport: { type: 'string' },
    threads: { type: 'string', default: '1' },
    concurrency: { type: 'string' },
    'busy-poll-us': { type: 'string' },
    /** How many clients behave at the same time. */
    clients: { type: 'string', default: '64' },
    seed: { type: 'string', default: '1' },
    /** The server's limit of descriptors. */
    descriptors: { type: 'string' },
    /** Another server that answers like soak-server.ts, to see whether its faults are found. */
    server: { type: 'string' },
  },
})

const engines = ['uring', 'node', 'blocking'] as const
const number = (text: string | undefined) => (text === undefined ? undefined : Number(text))
const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`

function planFor(engine: ServeOptions['engine'], totalMs: number) {
  const options: ServeOptions = {
    engine,
    threads: Number(flags.threads),
    // The pool of threads is as large as the machine makes it; here its size must be known.
    concurrency: number(flags.concurrency) ?? (engine === 'blocking' ? 6 : undefined),
    busyPollUs: number(flags['busy-poll-us']),
  }
  // Long enough for a good mixture, and enough of them to see a trend.
  const epochs = totalMs < 30_000 ? 2 : 12
  return {
    serverPath: flags.server ?? fileURLToPath(new URL('soak-server.js', import.meta.url)),
    options,
    descriptors: number(flags.descriptors),
    seed: Number(flags.seed),
    clients: Number(flags.clients),
    epochs,
    epochMs: totalMs / epochs,
  }
}

function describe(name: string, n: number, epoch: Epoch): string {
  return [
    `${name} epoch ${n}: ${epoch.connections} connections`,
    `${mebibytes(epoch.verifiedBytes)} verified`,
    `${epoch.broken} broken by us`,
    `${mebibytes(epoch.privateBytes)} private`,
    `${epoch.descriptors} descriptors`,
  ].join(', ')
}

function verdict(campaign: Campaign): string {
  const sum = (of: (epoch: Epoch) => number) => campaign.epochs.reduce((s, e) => s + of(e), 0)
  const growth = campaign.growthBytes
  const trend =
    growth === undefined ? 'too few epochs for a trend' : `${mebibytes(growth)} of growth`
  return (
    `sound: ${sum(e => e.connections)} connections, ${mebibytes(sum(e => e.verifiedBytes))} ` +
    `verified, memory: ${trend} (tolerance ${mebibytes(growthMaxBytes)})`
  )
}

/** Whether it is sound; undefined if the engine refuses. */
async function soak(engine: (typeof engines)[number], totalMs: number) {
  const campaign = new Campaign(planFor(engine, totalMs))
  const refusal = await campaign.run(epoch =>
    console.log(describe(engine, campaign.epochs.length, epoch)),
  )
  if (refusal !== undefined) {
    console.log(`${engine} refuses: ${refusal}`)
    return undefined
  }
  if (campaign.violations.length === 0) {
    console.log(`${engine}: ${verdict(campaign)}`)
    return true
  }
  for (const violation of campaign.violations) console.log(`${engine}: VIOLATION: ${violation}`)
  const same = Object.entries({ ...flags, engine }).map(([name, text]) => `--${name}=${text}`)
  console.log(`to reproduce: npm run soak -- ${same.join(' ')}`)
  return false
}

/** The same for a transport and the clients that misuse it. */
async function soakTransport(transport: (typeof misusedTransports)[number], totalMs: number) {
  const { serverPath, seed, clients, epochs, epochMs } = planFor('node', totalMs)
  const task = { serverPath, transport, seed, clients, epochs, epochMs }
  let [n, verified, misused] = [0, 0, 0]
  const { violations, growthBytes } = await soakMisuse(task, look => {
    verified += look.verified
    misused += look.misused
    console.log(
      `${transport} epoch ${++n}: ${look.verified} messages verified, ${look.misused} misuses, ` +
        `${mebibytes(look.privateBytes)} private, ${look.descriptors} descriptors`,
    )
  })
  for (const violation of violations) console.log(`${transport}: VIOLATION: ${violation}`)
  if (violations.length > 0) return false
  const trend = growthBytes === undefined ? 'too few epochs' : `${mebibytes(growthBytes)} of growth`
  console.log(
    `${transport}: sound: ${verified} messages verified, ${misused} misuses, memory: ${trend}`,
  )
  return true
}

const totalMs = flags.seconds ? Number(flags.seconds) * 1e3 : Number(flags.minutes) * 60e3
const results: (boolean | undefined)[] = []
const transport = misusedTransports.find(name => name === flags.transport)
if (transport) results.push(await soakTransport(transport, totalMs))
else
  for (const name of engines)
    if (flags.engine === undefined || flags.engine === name) results.push(await soak(name, totalMs))
if (results.includes(false)) process.exitCode = 1
else if (!results.includes(true)) process.exitCode = 2
