/** No run passes in which a server owes an answer: random servers that stop at random instants. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bench, UserError, type BenchOptions } from 'yodel'
import { campaign, short } from '../full.ts'
import { loadRefusal } from '../refusal.ts'
import type { Death, Known } from './behaviour.ts'
import type { Framing } from './framings.ts'
import { startKnown } from './known-server.ts'

const runs = campaign ? 500 : short(100, 3)
/** Every day three with one thread each, on both engines. */
const firstSeed = short(1, 10)
/** They wait more than they compute. */
const atOnce = 6
const sizeBytes = 127

/** The same for the same seed: a linear congruential generator (Numerical Recipes). */
function dice(seed: number) {
  let state = seed >>> 0
  const below = (most: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * most)
  }
  return { below, pick: <T>(values: readonly T[]): T => values[below(values.length)]! }
}

interface Case {
  transport: Framing['transport']
  known: Known
  load: BenchOptions
}

function caseOf(seed: number, canUring: boolean): Case {
  const { below, pick } = dice(seed * 2_654_435_761)
  below(1)
  const transport = pick(['tcp', 'tcp', 'tcp', 'tls', 'ws', 'http', 'udp'] as const)
  // One of three stops in the warm-up; the others may still send all of the window.
  const early = seed % 3 === 0
  const connections = 1 + below(4) + Number(early)
  const count = connections * (10 + below(40))
  const isOpen = !early && below(2) === 0
  const all = !early && below(3) === 0
  // It stops in the warm-up or in the window, also before the last message of a connection.
  const late = all ? count : Math.floor(count / connections)
  const after = below(early || below(2) === 0 ? 6 : late)
  const deaths: readonly Death[] =
    early || transport === 'udp' ? ['silent'] : ['silent', 'silent', 'fin', 'reset']
  const known: Known = { kind: 'dies', after, delayMs: below(4), all, how: pick(deaths) }
  const load: BenchOptions = {
    engine: transport === 'tcp' && canUring && below(2) === 0 ? 'uring' : 'node',
    threads: 1 + below(Math.min(2, connections)),
    connections,
    depth: transport === 'http' ? 1 : 1 + below(8),
    count,
    // Waiting for an answer until its timeout would take long.
    durationMs: 400,
    warmupMs: early ? 100 : pick([0, 20, 60]),
    drainMs: pick([20, 50, 100]),
    timeoutMs: early ? 10_000 : pick([10_000, 10_000, 150]),
    seed,
    sizeBytes,
    expect: below(2) === 0 ? ['errors=0', 'loss=0'] : [],
    ...(transport === 'tls' && { calling: { tls: { insecure: true } } }),
    ...(isOpen && { ratePerSecond: connections * (100 + below(900)) }),
  }
  return { transport, known, load }
}

/** How many messages the server left unanswered, of how many; and the verdict. */
async function run({ transport, known, load }: Case) {
  await using server = await startKnown(known, { transport, sizeBytes })
  try {
    const { verdict, http } = await bench(server.url, load).finished
    const unanswered = server.log.filter(({ cameMs }) => cameMs === null).length
    // What an HTTP server left unanswered when it hung up was sent again (RFC 9112 section 9.3.1).
    const owed = Math.max(0, unanswered - (http?.sentAgain ?? 0))
    return { owed, of: server.log.length, verdict }
  } catch (error) {
    // A busy machine may not have answered in time: then nothing was measured.
    if (error instanceof UserError && error.kind === 'network') return { owed: 0, of: 0 }
    throw error
  }
}

test(`of ${runs} servers that stop at random none passes`, async context => {
  const canUring = !loadRefusal('uring')
  const passed: string[] = []
  let [next, died] = [firstSeed, 0]
  const hand = async () => {
    for (let seed = next++; seed < firstSeed + runs; seed = next++) {
      const each = caseOf(seed, canUring)
      const { owed, of, verdict } = await run(each)
      if (owed === 0) continue
      died++
      if (verdict === 'pass')
        passed.push(`seed ${seed}: ${owed} of ${of} owed: ${JSON.stringify(each)}`)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, hand))
  context.diagnostic(`${died} of ${runs} servers owed an answer`)
  assert.deepEqual(passed, [])
  // A server that stops behind its last message owes nothing.
  assert.ok(died >= runs / 2, `only ${died} of ${runs} did`)
})
