/**
 * npm run soak: random clients against a real server process, on each engine in turn; exit code 1
 * on trouble.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Address, Server, ServeOptions } from 'yodel'
import type * as Engines from '../src/vocabulary/engine-names.ts'
import { campaignMs } from './campaign-time.ts'
import { Campaign, growthMaxBytes, type Epoch } from './soak-campaign.ts'
import { datagramPlay } from './soak-datagrams.ts'
import { soakInEpochs, type Play } from './soak-epochs.ts'
import { misusePlay } from './soak-misuse.ts'

/** The table of engines is no part of the library. */
const table = new URL('../../dist/vocabulary/engine-names.js', import.meta.url).href
const { engineSpeaks } = (await import(table)) as typeof Engines

type EngineName = Server['engine']
interface Soaked {
  transport: Address['transport']
  /** What clients do; without it they send and read bytes, and close in all ways. */
  play?: Play
}

/** What --transport takes. On https both sides agree on a version of HTTP. */
const soaked: Record<string, Soaked> = {
  tcp: { transport: 'tcp' },
  unix: { transport: 'unix' },
  tls: { transport: 'tls', play: misusePlay({ transport: 'tls' }) },
  ws: { transport: 'ws', play: misusePlay({ transport: 'ws' }) },
  wss: { transport: 'wss', play: misusePlay({ transport: 'wss' }) },
  http: { transport: 'http', play: misusePlay({ transport: 'http', version: 'HTTP/1.1' }) },
  h2c: { transport: 'http', play: misusePlay({ transport: 'http', version: 'HTTP/2' }) },
  https: { transport: 'https', play: misusePlay({ transport: 'https' }) },
  udp: { transport: 'udp', play: datagramPlay },
}

const { values: flags } = parseArgs({
  options: {
    /** For each engine. */
    minutes: { type: 'string', default: '3' },
    /** Instead of minutes: the short form. */
    seconds: { type: 'string' },
    /** One of them; without it, all that speak the transport and do not refuse. */
    engine: { type: 'string' },
    /** Those of the table, separated by commas; or `all`, one after the other. */
    transport: { type: 'string', default: 'tcp' },
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

const number = (text: string | undefined) => (text === undefined ? undefined : Number(text))
const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`

function planFor(url: string, engine: EngineName, totalMs: number) {
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
    url,
    options,
    descriptors: number(flags.descriptors),
    seed: Number(flags.seed),
    clients: Number(flags.clients),
    epochs,
    epochMs: totalMs / epochs,
  }
}
type Plan = ReturnType<typeof planFor>

function describe(name: string, n: number, epoch: Epoch): string {
  return [
    `${name} epoch ${n}: ${epoch.connections} connections`,
    `${mebibytes(epoch.verifiedBytes)} verified`,
    `${epoch.broken} broken by us`,
    `${mebibytes(epoch.privateBytes)} private`,
    `${epoch.descriptors} descriptors`,
  ].join(', ')
}

const trendOf = (growthBytes: number | undefined) =>
  growthBytes === undefined ? 'too few epochs for a trend' : `${mebibytes(growthBytes)} of growth`

function verdict(campaign: Campaign): string {
  const sum = (of: (epoch: Epoch) => number) => campaign.epochs.reduce((s, e) => s + of(e), 0)
  return (
    `${sum(e => e.connections)} connections, ${mebibytes(sum(e => e.verifiedBytes))} ` +
    `verified, memory: ${trendOf(campaign.growthBytes)} (tolerance ${mebibytes(growthMaxBytes)})`
  )
}

/** What was found: why it was not played, what was wrong, or how much was done. */
interface Outcome {
  refusal?: string | undefined
  violations: readonly string[]
  sound: string
}

/** Bytes, and connections that end in all ways. */
async function soakBytes(name: string, plan: Plan): Promise<Outcome> {
  const campaign = new Campaign(plan)
  const refusal = await campaign.run(epoch =>
    console.log(describe(name, campaign.epochs.length, epoch)),
  )
  return { refusal, violations: campaign.violations, sound: verdict(campaign) }
}

async function soakPlays(name: string, plan: Plan, play: Play): Promise<Outcome> {
  // An unfinished handshake is given up in an epoch; a busy machine takes seconds.
  const options = { ...plan.options, handshakeTimeoutMs: 5_000 }
  let [n, verified, misused] = [0, 0, 0]
  const found = await soakInEpochs({ ...plan, options }, play, look => {
    verified += look.verified
    misused += look.misused
    console.log(
      `${name} epoch ${++n}: ${look.verified} messages verified, ${look.misused} misuses, ` +
        `${mebibytes(look.privateBytes)} private, ${look.descriptors} descriptors`,
    )
  })
  const sound = `${verified} messages verified, ${misused} misuses`
  return { ...found, sound: `${sound}, memory: ${trendOf(found.growthBytes)}` }
}

/** Whether it is sound; undefined if the engine refuses. */
async function soak(what: string, engine: EngineName, totalMs: number) {
  const { transport, play } = soaked[what]!
  const folder = mkdtempSync(join(tmpdir(), 'yodel-soak-'))
  const url = transport === 'unix' ? `unix:${folder}/s` : `${transport}://127.0.0.1:0`
  const plan = planFor(url, engine, totalMs)
  const name = `${what}, ${engine}`
  const outcome = await (play ? soakPlays(name, plan, play) : soakBytes(name, plan))
  rmSync(folder, { recursive: true })
  const { refusal, violations, sound } = outcome
  if (refusal !== undefined) {
    console.log(`${name} refuses: ${refusal}`)
    return undefined
  }
  for (const violation of violations) console.log(`${name}: VIOLATION: ${violation}`)
  if (violations.length === 0) console.log(`${name}: sound: ${sound}`)
  else {
    const same = Object.entries({ ...flags, transport: what, engine })
    const words = same.map(([flag, text]) => `--${flag}=${text}`)
    console.log(`to reproduce: npm run soak -- ${words.join(' ')}`)
  }
  return violations.length === 0
}

const wanted = flags.transport === 'all' ? Object.keys(soaked) : flags.transport.split(',')
const unknown = wanted.find(what => soaked[what] === undefined)
if (unknown !== undefined) {
  console.error(`--transport takes all, or some of ${Object.keys(soaked).join(', ')}`)
  process.exit(2)
}
const totalMs = campaignMs(flags)
const engines = ['uring', 'node', 'blocking'] as const
const results: (boolean | undefined)[] = []
for (const what of wanted)
  for (const engine of engines)
    if (engineSpeaks(engine, soaked[what]!.transport))
      if (flags.engine === undefined || flags.engine === engine)
        results.push(await soak(what, engine, totalMs))
if (results.includes(false)) process.exitCode = 1
else if (!results.includes(true)) process.exitCode = 2
