/**
 * npm run detect: random loads against correct servers, which must raise no alarm, and against bad
 * ones, whose misdeeds must be found and named; exit code 1 on trouble.
 */
import { parseArgs } from 'node:util'
import { bench, serve, UserError, type BenchOptions, type RunResult, type Server } from 'yodel'
import { BadServer, misdeeds, type Damage, type Misdeed } from '../test/peers/bad-server.ts'
import { campaignMs } from './campaign-time.ts'
import { Dice } from './soak-behaviours.ts'

const { values: flags } = parseArgs({
  options: {
    /** How long all runs together send. */
    minutes: { type: 'string', default: '60' },
    /** Instead of minutes: the short form. */
    seconds: { type: 'string' },
    seed: { type: 'string', default: '1' },
  },
})

type Cause = NonNullable<RunResult['firstWrong']>['cause']

const causes: Record<Misdeed, Cause> = {
  'flips one bit': 'corrupted',
  'swaps two pieces': 'swapped',
  'repeats a piece': 'duplicated',
  'drops a piece': 'missing',
  'sends a piece of another connection': 'foreign',
  'inserts seven bytes': 'shifted',
  'closes in the middle': 'truncated',
  resets: 'truncated',
  'never answers': 'missing',
}

const engines = ['node', 'uring', 'blocking'] as const
const violations: string[] = []
/** In how many runs each misdeed was done, found where it was, and called by its name. */
const tallies = Object.fromEntries(
  misdeeds.map(misdeed => [misdeed, { done: 0, found: 0, named: 0 }]),
) as Record<Misdeed, { done: number; found: number; named: number }>
const sound = { runs: 0, seconds: 0, messages: 0, bytes: 0 }

/** Engines that refuse are left out: to serve, and to send. */
async function startServers(): Promise<Server[]> {
  const servers: Server[] = []
  for (const engine of engines) {
    try {
      servers.push(await serve('tcp://127.0.0.1:0', { engine, concurrency: 64, drainMs: 100 }))
    } catch (error) {
      if (!(error instanceof UserError)) throw error
      console.log(`${engine} refuses to serve: ${error.message}`)
    }
  }
  return servers
}

async function sendingEngines(url: string): Promise<(typeof engines)[number][]> {
  const able: (typeof engines)[number][] = []
  for (const engine of engines) {
    try {
      await bench(url, { engine, count: 1, warmupMs: 0 }).finished
      able.push(engine)
    } catch (error) {
      if (!(error instanceof UserError)) throw error
    }
  }
  return able
}

function randomLoad(dice: Dice, durationMs: number): BenchOptions {
  const connections = dice.size(40)
  const [a, b] = [dice.size(100_000), dice.size(100_000)]
  const range = { minBytes: Math.min(a, b), maxBytes: Math.max(a, b), weight: 1 }
  return {
    connections,
    depth: dice.size(64),
    sizeBytes: dice.chance(0.5) ? a : [range, { minBytes: 1, maxBytes: 100, weight: 3 }],
    threads: 1 + dice.below(2),
    seed: dice.below(2 ** 32),
    durationMs,
    warmupMs: dice.chance(0.3) ? durationMs / 4 : 0,
    ...(dice.chance(0.4) && {
      ratePerSecond: 10 * dice.size(1000),
      arrivals: dice.chance(0.5) ? 'even' : 'poisson',
    }),
    ...(dice.chance(0.2) && { churnPerSecond: 5 * dice.size(20) }),
    ...(dice.chance(0.2) && { idle: dice.size(10) }),
  }
}

async function correct(url: string, options: BenchOptions): Promise<void> {
  const { churnPerSecond = 0, engine: wanted = 'auto' } = options
  // The uring engine has no short connections.
  const engine = churnPerSecond > 0 ? 'node' : wanted
  const result = await bench(url, { ...options, engine }).finished
  sound.runs++
  sound.seconds += result.seconds
  sound.messages += result.messages.received
  sound.bytes += result.bytes.received
  const { firstWrong, failedBecause } = result
  // A slow open loop may have had nothing to send.
  const reasons = failedBecause.filter(reason => reason !== 'Nothing was measured.')
  if (!firstWrong && reasons.length === 0) return
  violations.push(`false alarm: ${JSON.stringify({ url, options, reasons, firstWrong })}`)
}

async function bad(dice: Dice, misdeed: Misdeed): Promise<void> {
  const depth = dice.size(32)
  const sizeBytes = 15 + dice.size(flags.seconds ? 5_000 : 60_000)
  const connections = 2 + dice.below(6)
  const inFlightBytes = depth * sizeBytes
  // What is in flight must be enough for two pieces.
  const pieceMaxBytes = Math.min(100_000, Math.floor(inFlightBytes / 2))
  const pieceBytes = Math.min(pieceMaxBytes, 8 + dice.size(pieceMaxBytes))
  const messages = 8 * depth + 40
  // A reset is exact only behind a whole message.
  const afterMessages = 1 + dice.below(Math.floor(messages / 4))
  const within = misdeed === 'resets' ? 0 : dice.below(sizeBytes)
  const afterBytes = afterMessages * sizeBytes + within
  const server = new BadServer({ misdeed, afterBytes, pieceBytes, inFlightBytes })
  await using _ = server
  const url = await server.listen()
  const options: BenchOptions = {
    connections,
    depth,
    sizeBytes,
    count: messages * connections,
    seed: dice.below(2 ** 32),
    engine: 'node',
    warmupMs: 0,
    drainMs: 250,
  }
  const { churnPerSecond = 0, engine: wanted = 'auto' } = options
  // The uring engine has no short connections.
  const engine = churnPerSecond > 0 ? 'node' : wanted
  const result = await bench(url, { ...options, engine }).finished
  if (server.damage) judge(misdeed, server.damage, result, { ...options, afterBytes, pieceBytes })
}

function judge(misdeed: Misdeed, damage: Damage, result: RunResult, conditions: object): void {
  const tally = tallies[misdeed]
  tally.done++
  const { firstWrong, verdict } = result
  // The bytes that were expected tell whose stream it is.
  const right = damage.right.subarray(0, 32).toString('hex')
  const where = firstWrong?.offset === damage.offset && firstWrong.expected.startsWith(right)
  const found = verdict === 'fail' && where
  const named = firstWrong?.cause === causes[misdeed]
  if (found) tally.found++
  if (found && named) tally.named++
  const what = { misdeed, offset: damage.offset, conditions, firstWrong }
  if (!found) violations.push(`not found: ${JSON.stringify(what)}`)
  else if (!named) console.log(`named otherwise: ${JSON.stringify(what)}`)
}

/** Names may be wrong by accident, that rarely. */
const namedShare = 0.97
const violationsMax = 10

async function campaign(totalMs: number, seed: number): Promise<void> {
  const dice = new Dice(seed)
  const servers = await startServers()
  const able = await sendingEngines(servers[0]!.url)
  const runMs = Math.min(2000, totalMs / 4)
  const endMs = performance.now() + totalMs
  for (let n = 0; performance.now() < endMs && violations.length < violationsMax; n++) {
    const engine = able[dice.below(able.length)]!
    const { url } = servers[n % servers.length]!
    await correct(url, { ...randomLoad(dice, runMs * (0.5 + dice.next() / 2)), engine })
    await Promise.all(misdeeds.map(misdeed => bad(dice, misdeed)))
  }
  await Promise.all(servers.map(server => server.close('now')))
}

function report(): void {
  const { runs, seconds, messages, bytes } = sound
  const alarms = violations.filter(text => text.startsWith('false alarm')).length
  console.log(
    `correct servers: ${runs} runs, ${seconds.toFixed(1)} s of sending, ` +
      `${messages.toLocaleString('en-US')} messages, ${(bytes / 1e9).toFixed(2)} GB verified, ` +
      `${alarms} false alarms`,
  )
  for (const [misdeed, { done, found, named }] of Object.entries(tallies)) {
    console.log(`${misdeed}: ${done} times, ${found} found, ${named} named right`)
    if (named < namedShare * found - 1)
      violations.push(`${misdeed}: ${named} of ${found} named right`)
  }
  for (const violation of violations) console.log(`VIOLATION: ${violation}`)
  if (violations.length > 0) console.log(`to reproduce: npm run detect -- --seed=${flags.seed}`)
}

const totalMs = campaignMs(flags)
await campaign(totalMs, Number(flags.seed))
report()
if (violations.length > 0) process.exitCode = 1
