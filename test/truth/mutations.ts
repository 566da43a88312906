/**
 * npm run truth:mutations: breaks the accounting in a copy of the tree, one place at a time. The
 * daily tests have to fail each time; exit code 1 if they pass once.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../program.ts'

interface Mutation {
  what: string
  file: string
  from: string
  to: string
}

/** All runs count, however noisy: else those of a busy machine would be left out. */
const env = { ...process.env, QUIET_SHARE: '1' }

const mutations: Mutation[] = [
  {
    what: 'a counter is left out: what came back of streams',
    file: 'load/stream.ts',
    from: 'counters[counter.messagesReceived]! += received - warm',
    to: 'counters[counter.messagesReceived]! += 0',
  },
  {
    what: 'the window ends early',
    file: 'load/timetable.ts',
    from: 'this.#endNs = this.measureFromNs + this.task.durationMs * 1e6',
    to: 'this.#endNs = this.measureFromNs + this.task.durationMs * 0.97e6',
  },
  {
    what: 'the window begins with the warm-up',
    file: 'load/timetable.ts',
    from: 'this.measureFromNs = atNs + this.task.warmupMs * 1e6',
    to: 'this.measureFromNs = atNs',
  },
  {
    what: 'rates are divided by the time until the last straggler',
    file: 'load/replies.ts',
    from: 'return { seconds: lengthNs / 1e9,',
    to: 'return { seconds: Math.max(...logs.map(log => log.lastNs)) / 1e9,',
  },
  {
    what: 'the interval of the replies begins with the window, not with the first reply',
    file: 'load/replies.ts',
    from: 'log.byClock ? log.lengthNs : firstNs + lengthNs - log.fromNs',
    to: 'log.byClock ? log.lengthNs : firstNs * 0 + lengthNs',
  },
  {
    what: 'the replies of the first thread alone count',
    file: 'load/replies.ts',
    from: 'const achieved = logs.reduce(',
    to: 'const achieved = logs.slice(0, 1).reduce(',
  },
  {
    what: 'the response of streams counts from the send',
    file: 'load/timetable.ts',
    from: 'response.record(now - plannedNs)',
    to: 'response.record(now - sentNs)',
  },
  {
    what: 'the service counts from the plan',
    file: 'load/timetable.ts',
    from: 'service.record(now - sentNs)',
    to: 'service.record(now - plannedNs)',
  },
  {
    what: 'what is held back is not planned',
    file: 'load/timetable.ts',
    from: 'counters[counter.messagesPlanned]! += count\n',
    to: 'counters[counter.messagesPlanned]! += count - deferred\n',
  },
  {
    what: 'loss is of what was sent, not of what was planned',
    file: 'report/summarize.ts',
    from: 'const lost = total.messagesPlanned - total.messagesReceived',
    to: 'const lost = total.messagesSent - total.messagesReceived',
  },
  {
    what: 'datagrams that never came count as back',
    file: 'load/datagram-stream.ts',
    from: 'this.#traffic.lose(this.index, sequence, now)',
    to: 'this.#traffic.meter.counters[counter.messagesReceived]!++',
  },
  {
    what: 'a percentile is of a rank below its own',
    file: 'metrics/histogram.ts',
    from: 'Math.ceil(wanted[index]! * total)',
    to: 'Math.ceil(wanted[index]! * total * 0.9)',
  },
  {
    what: 'who owes an answer at the end has not failed',
    file: 'load/stream.ts',
    from: 'if (this.failed || this.inFlight === 0) return false',
    to: 'if (this.failed || this.inFlight >= 0) return false',
  },
]

const copy = mkdtempSync(join(tmpdir(), 'yodel-mutation-'))
process.once('exit', () => rmSync(copy, { recursive: true }))
for (const name of ['src', 'test', 'benchmarks', 'examples', 'page', 'dist', 'build'])
  cpSync(join(root, name), join(copy, name), { recursive: true })
for (const name of ['package.json', 'tsconfig.json', 'tsconfig.base.json'])
  cpSync(join(root, name), join(copy, name))
symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))

/** The first test that fails with the tree as it is; undefined if all pass. */
async function firstFailure(): Promise<string | undefined> {
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const built = spawnSync(process.execPath, [compiler, '-b', 'src'], { cwd: copy })
  if (built.status !== 0) throw new Error(`It does not compile: ${built.stdout.toString()}`)
  for (const name of ['truth', 'deaths']) {
    const file = join('build', 'test', 'truth', `${name}.test.js`)
    const program = spawn(process.execPath, [file], {
      cwd: copy,
      env,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    let said = ''
    let failed: string | undefined
    program.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      // With what it says, so that one sees whether that is the reason.
      failed ??= /^ *not ok \d+ - [^]*?\n +error: .*$(?:\n +[^:]*$)*/m.exec(said)?.[0]
      // More of it would tell nothing more.
      if (failed !== undefined) program.kill()
    })
    const [code] = (await once(program, 'close')) as [number | null]
    if (failed !== undefined || code !== 0) return failed ?? `${name} ended with ${code}`
  }
  return undefined
}

/** Noise may spoil a run or two. */
let sound: string | undefined = 'not run'
for (let attempt = 0; attempt < 3 && sound !== undefined; attempt++) sound = await firstFailure()
if (sound !== undefined) {
  console.log(`The suite fails as it is: ${sound}`)
  process.exit(1)
}
const wanted = process.argv.slice(2).map(Number)
let survived = 0
for (const [n, { what, file, from, to }] of mutations.entries()) {
  if (wanted.length > 0 && !wanted.includes(n)) continue
  const path = join(copy, 'src', file)
  const text = readFileSync(path, 'utf8')
  if (text.split(from).length !== 2) throw new Error(`${file} has not one place with: ${from}`)
  writeFileSync(path, text.replace(from, to))
  const caught = await firstFailure()
  writeFileSync(path, text)
  if (caught === undefined) survived++
  console.log(`${n}. ${what}: ${caught === undefined ? 'SURVIVED' : `caught\n${caught}`}`)
}
console.log(survived === 0 ? 'All were caught.' : `${survived} survived.`)
process.exitCode = survived === 0 ? 0 : 1
