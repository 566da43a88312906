/** `bench --against`: two sides in turn, over real sockets, by the library and the command line. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { benchAgainst, UserError, type Round, type Rounds } from 'yodel'
import { freePort } from './client.ts'
import { full, onlyFull, short } from './full.ts'
import { listen, type BadServer } from './peers/server.ts'
import { yodel } from './program.ts'
import { createTypist } from './typist.ts'

const folder = mkdtempSync(join(tmpdir(), 'yodel-rounds-'))
const file = join(folder, 'rounds.json')
const typed = createTypist()
let [fast, slow]: BadServer[] = []

/** With a delay the generator has time to spare, however busy the machine is. */
const delaying = (ms: number) =>
  listen(socket => {
    socket.on('data', data => void setTimeout(() => socket.write(data), ms))
    socket.on('end', () => socket.end())
  })
before(async () => {
  fast = await delaying(1)
  slow = await delaying(4)
})
after(async () => {
  await Promise.all([fast, slow].map(server => server![Symbol.asyncDispose]()))
  rmSync(folder, { recursive: true })
})

const brief = ['--count', '10', '--warmup', '0', '--engine', 'node', '--figures', 'rate,p50']
const rounds = (...args: string[]) => ['bench', slow!.url, '--against', fast!.url, ...args]

/** Others may hold the machine up in so many rounds that nothing can be said of any figure. */
async function measured(...args: string[]) {
  for (let n = 0; n < attemptsMax; n++) {
    const found = await typed([...args, ...brief])
    if (found.code !== 4) return found
  }
  return undefined
}
const attemptsMax = 5
const heldUp = 'others held the machine up in each attempt'

/** Serves like the command of a user; as long as it runs, a file exists. */
const echoCommand = (port: number) =>
  `${process.execPath} -e "const fs = require('fs'); ` +
  `fs.writeFileSync('${pidFile}', String(process.pid)); ` +
  `require('net').createServer(s => s.on('error', () => {}).pipe(s)).listen(${port}, '127.0.0.1')"`
const pidFile = join(folder, 'pid')

const isRunning = (pid: number) => existsSync(`/proc/${pid}`)

test('each round has a whole result of both sides, in the order of its coins', async () => {
  const order: string[] = []
  const run = benchAgainst(slow!.url, {
    against: fast!.url,
    rounds: short(4, 2),
    orderSeed: 3,
    count: 10,
    warmupMs: 0,
    engine: 'node',
    onRun: ({ round, side }) => void order.push(`${round} ${side}`),
  })
  const { rounds, ...about } = await run.finished
  assert.deepEqual(
    [about.format, about.orderSeed, about.stoppedBecause],
    ['yodel-rounds-1', 3, null],
  )
  assert.deepEqual([about.baseline.address, about.subject.address], [fast!.url, slow!.url])
  const expected = rounds.flatMap(({ first }, index) => {
    const second = first === 'baseline' ? 'subject' : 'baseline'
    return [`${index + 1} ${first}`, `${index + 1} ${second}`]
  })
  assert.deepEqual(order, expected)
  // Both orders occur; otherwise this test would not show that the order is random.
  assert.equal(new Set(rounds.map(({ first }) => first)).size, 2)
  for (const { baseline, subject } of rounds) {
    assert.deepEqual([baseline.run.address, subject.run.address], [fast!.url, slow!.url])
    for (const { messages } of [baseline, subject]) assert.equal(messages.received, 10)
  }
})

const few = short(3, 2)
test(
  'rounds are saved, and read again by compare and report',
  { skip: onlyFull },
  async context => {
    const saved = await measured(...rounds('--rounds', `${few}`, '--output', file))
    if (!saved) return context.skip(heldUp)
    assert.equal(saved.code, 0, saved.stderr)
    // So few coins can all fall alike: that is no proof.
    assert.match(saved.stdout, /^p50: cannot tell; .* more rounds? would decide it\./m)
    const runs = [
      await typed(['compare', file]),
      await typed(['report', file]),
      await typed(['compare', file, '--json', '--fail-if', 'p50>+20%']),
      await typed(['compare', file, '--fail-if', 'p50>1us']),
      await typed(['compare', file, file]),
      await typed(['report', file, '--output', join(folder, 'rounds.csv')]),
      await typed(['report', file, '--output', join(folder, 'rounds.xml')]),
    ]
    assert.deepEqual(
      runs.map(({ code }) => code),
      [0, 0, 0, 1, 2, 2, 0],
      runs.map(({ stderr }) => stderr).join(),
    )
    const [compared, reported, json, failed, twice, csv] = runs
    assert.equal(compared!.stdout, saved.stdout)
    assert.equal(reported!.stdout, saved.stdout)
    const document = JSON.parse(json!.stdout) as Record<string, unknown>
    assert.deepEqual([document.format, document.outcome], ['yodel-compare-rounds-1', 'compared'])
    assert.match(failed!.stdout, new RegExp(`^FAILED: p50>1us: .*${few} of ${few} rounds`, 'm'))
    assert.match(twice!.stderr, /must be the only file/)
    assert.match(csv!.stderr, /Rounds cannot be written.* \.html, \.json, \.md, \.xml\.$/m)
    assert.match(readFileSync(join(folder, 'rounds.xml'), 'utf8'), /errors="0"[^]*name="p50"/)
  },
)

test('a server that is really slower fails the gate', { skip: onlyFull }, async context => {
  // By so much that a busy machine cannot turn it around.
  await using server = await delaying(30)
  const wanted = ['--rounds', '8', '--fail-if', 'p50>+20%', '--fail-if', 'rate<-20%']
  const found = await measured('bench', server.url, '--against', fast!.url, ...wanted)
  if (!found) return context.skip(heldUp)
  const { code, stdout, stderr } = found
  assert.equal(code, 1, stdout + stderr)
  assert.match(stdout, /^p50: worse/m)
  assert.match(stdout, /^FAILED: p50>\+20%: /m)
})

test('commands serve each run afresh, and are gone after it', { skip: onlyFull }, async () => {
  const port = await freePort()
  const command = echoCommand(port)
  const address = `tcp://127.0.0.1:${port}`
  const pids: number[] = []
  const run = benchAgainst(address, {
    serve: command,
    againstServe: command,
    rounds: 2,
    count: 5,
    warmupMs: 0,
    onRun: () => void (existsSync(pidFile) && pids.push(Number(readFileSync(pidFile, 'utf8')))),
  })
  const { baseline, subject, rounds } = await run.finished
  assert.deepEqual([baseline, subject], [baseline, baseline])
  assert.deepEqual(baseline, { address, serve: command })
  assert.ok(rounds.length >= 2)
  pids.push(Number(readFileSync(pidFile, 'utf8')))
  assert.equal(new Set(pids).size, rounds.length * 2)
  assert.deepEqual(pids.filter(isRunning), [])
})

test('a load whose rate changes is as long as its stages', { skip: onlyFull }, async () => {
  const stages = '50/s for 100ms, 100/s for 100ms'
  const options = { against: fast!.url, rounds: 2, stages, engine: 'node' } as const
  const { figures, rounds } = await benchAgainst(fast!.url, options).finished
  // What an open loop carries is its plan.
  assert.deepEqual(figures, ['p50', 'p99'])
  for (const { seconds, messages } of rounds.flatMap(({ baseline, subject }) => [
    baseline,
    subject,
  ]))
    assert.deepEqual([seconds, messages.planned], [0.2, 15])
})

test('a command that does not serve is shown with what it said', async () => {
  const address = `tcp://127.0.0.1:${await freePort()}`
  const failing = (serve: string, timeoutMs = 10_000) =>
    benchAgainst(address, { serve, againstServe: serve, timeoutMs, count: 5 }).finished
  const isSaid = (pattern: RegExp) => (error: unknown) =>
    error instanceof UserError && pattern.test(`${error.message} ${error.hint}`)
  await assert.rejects(failing('echo no luck >&2; exit 3'), isSaid(/exit code 3.*said: no luck/))
  // One that goes on, and never accepts, is ended. It says at once which process it is.
  const deaf = 'echo $$ >&2; exec sleep 600'
  let said = ''
  const isDeaf = (error: unknown) => {
    said = (error as UserError).hint
    return isSaid(/did not accept in 1 s/)(error)
  }
  await assert.rejects(failing(deaf, 1_000), isDeaf)
  assert.equal(isRunning(Number(/\d+/.exec(said)![0])), false)
  const taken = benchAgainst(fast!.url, { serve: deaf, againstServe: deaf, count: 5 }).finished
  await assert.rejects(taken, isSaid(/serves tcp.* already/))
})

const interrupted = 'interrupted: the server of the moment is ended, and the exit code is 130'
test(interrupted, { skip: onlyFull }, async () => {
  rmSync(pidFile, { force: true })
  const port = await freePort()
  const command = echoCommand(port)
  const flags = ['--serve', command, '--against-serve', command, '--duration', '1h']
  await using program = yodel(['bench', `:${port}`, ...flags])
  while (!existsSync(pidFile) || readFileSync(pidFile, 'utf8') === '')
    await new Promise(resolve => setTimeout(resolve, 20))
  program.kill('SIGINT')
  const { code, stderr } = await program.finished
  assert.equal(code, 130, stderr)
  assert.match(stderr, /interrupted before a round was complete/)
  assert.equal(isRunning(Number(readFileSync(pidFile, 'utf8'))), false)
})

test('what makes no sense is one line and exit code 2', async () => {
  const rows: [args: string[], message: RegExp][] = [
    [['bench', '--serve', 'x'], /nothing to measure against/],
    [['bench', '--rounds', '5'], /--rounds is for rounds.*--against/],
    [['bench', '--fail-if', 'p99>+5%'], /--fail-if is for rounds/],
    [rounds('--rounds', '1'), /from 2 to/],
    [rounds('--figures', 'p50,errors'), /'errors' is neither a time nor a rate/],
    [rounds('--figures', 'joy'), /no metric 'joy'/],
    [rounds('--margin', '0%'), /more than 0/],
    [rounds('--stages', '5/s for 1s', '--rate', '5/s'), /so no rate can be given/],
    [rounds('--find-max', 'p99<5ms'), /cannot be used together/],
    [rounds('--output', join(folder, 'x.csv')), /Rounds cannot be written/],
    [rounds('--serve', ' '), /no command/],
  ]
  for (const [args, message] of rows) {
    const { code, stdout, stderr } = await typed(args)
    assert.deepEqual([code, stdout], [2, ''], stderr)
    assert.match(stderr, message)
    assert.equal(stderr.trimEnd().split('\n').length, 1)
  }
})

test('--json is the whole document; --ndjson has a line for each round', async () => {
  if (full) {
    const json = await typed([...rounds('--rounds', '2', '--json', '--order-seed', '9'), ...brief])
    const document = JSON.parse(json.stdout) as Rounds
    assert.equal(document.orderSeed, 9)
    assertWhole(document.rounds)
  }
  const { stdout } = await typed([...rounds('--rounds', '2', '--ndjson'), ...brief])
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as { event: string } & Round & { [key: string]: unknown })
  const comparison = lines.pop()!
  assert.equal(comparison.event, 'comparison')
  assert.deepEqual(new Set(lines.map(({ event }) => event)), new Set(['round']))
  assert.equal(Number(comparison.rounds) + Number(comparison.leftOut), lines.length)
  assertWhole(lines)
})

/** Of two that were wanted: one may be measured again because a run of it was not valid. */
function assertWhole(rounds: Round[]) {
  const valid = rounds.filter(({ baseline, subject }) => baseline.valid && subject.valid).length
  const invalid = rounds.length - valid
  assert.ok(valid === 2 ? invalid <= 1 : invalid === 2, `${valid} valid, ${invalid} not`)
}
