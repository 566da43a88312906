/**
 * How often `yodel check` says that something is wrong with a path of the lab on which nothing is:
 *
 *     npm run truth:check [RUNS]
 *
 * Each run waits most of its time, so AT_ONCE of them (the default is two for each processor) take
 * turns.
 */
import { availableParallelism } from 'node:os'
import { askOn } from './judge.ts'
import { noLab } from './lab.ts'
import { createPath } from './path.ts'

const runs = Number(process.argv[2] ?? 200)
/** Longer silences would only take longer: nothing on a clean path counts them. */
const brief = ['--idle', '2s']
const atOnce = Number(process.env['AT_ONCE'] ?? 2 * availableParallelism())
const transports = ['tcp', 'tls', 'ws', 'http', 'udp']

/** After how many runs it says how far it is. */
const saidEvery = 10

/** Each way that a run was not ok, and how often. */
const alarms = new Map<string, number>()
/** Of each transport: how many runs there were, how many were ok, and how many had no finding. */
const tallies = new Map(transports.map(name => [name, { runs: 0, ok: 0, unknown: 0 }]))
const startedMs = performance.now()
let done = 0

async function once(n: number): Promise<void> {
  const transport = transports[n % transports.length]!
  const path = await createPath()
  await using _ = path.lab
  const where = transport === 'udp' ? '0.0.0.0' : '[::]'
  const { url } = await path.server.serve(`${transport}://${where}:0`)
  const trusting = transport === 'tls' ? ['--insecure'] : []
  const { result } = await askOn(path, url, ...brief, ...trusting)
  const found = result.questions.flatMap(({ name, findings }) =>
    findings.map(finding => `${transport} ${name} ${finding.outcome}: ${finding.name}`),
  )
  for (const each of found) alarms.set(each, (alarms.get(each) ?? 0) + 1)
  const tally = tallies.get(transport)!
  tally.runs++
  if (result.verdict === 'ok') tally.ok++
  else {
    if (found.length === 0) tally.unknown++
    console.log(`run ${n}, ${transport}: ${result.verdict}: ${result.because.join('; ')}`)
  }
  if (++done % saidEvery === 0 && done < runs) console.log(`${done} of ${runs} runs, ${took()}`)
}

const took = () => `${Math.round((performance.now() - startedMs) / 1e3)} s`

if (noLab) throw new Error(noLab)
let next = 0
await Promise.all(
  Array.from({ length: atOnce }, async () => {
    while (next < runs) await once(next++)
  }),
)
const all = [...tallies.values()]
const sum = (of: keyof (typeof all)[number]) => all.reduce((total, tally) => total + tally[of], 0)
console.log(
  `${done} runs on a clean path in ${took()}, ${atOnce} at once: ${sum('ok')} ok, ` +
    `${sum('unknown')} not known (without a finding), ` +
    `${done - sum('ok') - sum('unknown')} with a finding`,
)
for (const [name, { runs, ok }] of tallies) console.log(`  ${name}: ${ok} of ${runs} ok`)
for (const [alarm, times] of alarms) console.log(`  ${times} times ${alarm}`)
process.exitCode = sum('ok') === done ? 0 : 1
