/**
 * How often `yodel check` says that something is wrong with a path of the lab on which nothing is:
 *
 *     npm run truth:check [RUNS]
 */
import { availableParallelism } from 'node:os'
import { askOn } from './judge.ts'
import { noLab } from './lab.ts'
import { createPath } from './path.ts'

const runs = Number(process.argv[2] ?? 200)
/** Longer silences would only take longer: nothing on a clean path counts them. */
const brief = ['--idle', '2s']
const atOnce = Number(process.env['AT_ONCE'] ?? availableParallelism())
const transports = ['tcp', 'tls', 'ws', 'http', 'udp']

/** Each way that a run was not ok, and how often. */
const alarms = new Map<string, number>()
let done = 0
let clean = 0

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
  if (result.verdict === 'ok') clean++
  else console.log(`run ${n}, ${transport}: ${result.verdict}: ${result.because.join('; ')}`)
  done++
}

if (noLab) throw new Error(noLab)
let next = 0
await Promise.all(
  Array.from({ length: atOnce }, async () => {
    while (next < runs) await once(next++)
  }),
)
console.log(`${done} runs on a clean path, ${clean} ok`)
for (const [alarm, times] of alarms) console.log(`  ${times} times ${alarm}`)
process.exitCode = clean === done ? 0 : 1
