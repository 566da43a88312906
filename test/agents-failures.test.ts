/** What breaks in a load of agents: each with its sentence, and what is still true. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { agent, bench, merge, serve, UserError, type Agent, type RunResult } from 'yodel'
import { fleet, leave } from './fleet.ts'
import { onlyFull } from './full.ts'
import { eavesdropper, startBroker } from './peers/mqtt.ts'
import { Program, yodel, yodelPath } from './program.ts'
import { createTypist } from './typist.ts'

const typed = createTypist(undefined, { LC_ALL: 'C.UTF-8' })
const folder = mkdtempSync(join(tmpdir(), 'yodel-'))
after(() => rmSync(folder, { recursive: true }))
const load = {
  connections: 4,
  ratePerSecond: 200,
  engine: 'node',
  warmupMs: 0,
  // It ends once all is back; a busy machine takes its time.
  drainMs: 60_000,
  timeoutMs: 60_000,
} as const

/** Of all messages that were due, it is known what became of them. */
function checkSum({ messages }: RunResult) {
  const { planned, received, lost, unfinished } = messages
  assert.equal(planned, received + lost + unfinished)
  assert.equal(lost, 0)
}

/** Once its first second is told; rejects as the run does. */
const secondOf = (run: ReturnType<typeof bench>) =>
  Promise.race([
    run.finished.then(() => {}),
    new Promise<void>(resolve => run.onInterval(() => resolve())),
  ])

test(
  'an agent that is killed is named, and counts up to its last second',
  { skip: onlyFull },
  async () => {
    await using server = await serve('tcp://127.0.0.1:0', { engine: 'node' })
    const flags = ['--connections', '4', '--rate', '200', '--duration', '3s', '--warmup', '0']
    const fleetFlags = ['--agents', '2', '--broker-listen', 'mqtt://127.0.0.1:0']
    await using leader = yodel(
      ['bench', server.url, '--engine', 'node', '--ndjson', '--agent-timeout', '30s'].concat(
        flags,
        fleetFlags,
      ),
    )
    const [, url] = await leader.says(/yodel agent (mqtt:\S+)/)
    const one = agent(url, { name: 'one' })
    await using two = yodel(['agent', url!, '--name', 'two'])
    await leader.says(/"event":"interval"/)
    two.kill('SIGKILL')
    const { code, stdout } = await leader.finished
    await leave({ agents: [one] })
    const line = stdout.toString().trim().split('\n').at(-1)!
    const result = JSON.parse(line) as RunResult
    assert.equal(code, 4)
    const { slice, agent: lost } = result.run.parts!.find(part => part.agent!.name === 'two')!
    const died = new RegExp(`^Agent ${slice[0]} of 2 \\(two\\) died at .*is unknown\\.$`)
    assert.ok(
      result.invalidBecause.some(reason => died.test(reason)),
      result.invalidBecause.join(),
    )
    checkSum(result)
    // One second or two of its three.
    assert.ok(lost!.lostSecond! >= 1 && lost!.lostSecond! <= 2, String(lost!.lostSecond))
    assert.ok(lost!.unknown! > 0 && lost!.unknown! < 300, String(lost!.unknown))
    assert.equal(result.messages.planned, 600 - lost!.unknown!)
    assert.equal(
      result.intervals.reduce((sum, { received }) => sum + received, 0),
      result.messages.received,
    )
    assert.deepEqual(result.errors.closedEarly, 0)
    const path = join(folder, 'killed.json')
    writeFileSync(path, line)
    const { stdout: text } = await typed(['report', path])
    const page = await typed(['report', path, '--output', join(folder, 'killed.html')])
    assert.equal(page.code, 0, page.stderr)
    const html = readFileSync(join(folder, 'killed.html'), 'utf8')
    assert.match(html, /<figure id="agent-rates">[^]*<title>two: \d+.*<td>lost after \ds</s)
    assert.match(text.replaceAll(/\s+/g, ' '), /agent \d\/2 two: .* lost after \ds: \d+ messages/)
  },
)

test('one that never comes, or has another version, is told of; others stay free', async () => {
  const broker = await startBroker()
  await using ear = await eavesdropper(broker.url)
  const one = agent(broker.url, { name: 'one' })
  await one.ready
  const { words } = await ear.hears(({ topic }) => topic.includes('/agents/'))
  await ear.say('yodel/1/agents/b', { ...words, name: 'old', version: '0.0.1' }, true)
  await ear.say('yodel/1/agents/c', { ...words, name: 'busy', run: 'another' }, true)
  await ear.say('yodel/1/agents/d', { ...words, name: 'odd', layout: 'another' }, true)
  const flags = ['--agents', '2', '--connections', '2', '--agent-timeout', '2s']
  const said = await typed(['bench', 'tcp://127.0.0.1:1', '--broker', broker.url, ...flags])
  assert.equal(said.code, 3)
  assert.match(said.stderr, /1 of 2 agents came within 2s: one\./)
  assert.match(said.stderr, /Agent old has yodel 0\.0\.1, and this is /)
  assert.match(said.stderr, /Agent busy is at work\./)
  assert.match(said.stderr, /Agent odd counts in another way\./)
  // It was not asked for anything.
  assert.ok(!ear.heard.some(({ words: each }) => each.kind === 'assignment'))
  await leave({ agents: [one] })
  await broker.kill()
  const gone = await typed(['bench', 'tcp://127.0.0.1:1', '--broker', broker.url, ...flags])
  assert.equal(gone.code, 3)
  assert.match(gone.stderr, /Cannot talk to the broker mqtt:\/\/127\.0\.0\.1:\d+: nothing listens/)
})

test('one that is told to leave hands over what it has done', { skip: onlyFull }, async () => {
  await using server = await serve('tcp://127.0.0.1:0', { engine: 'node' })
  const there = await fleet(server.url, { ...load, durationMs: 2_500, agents: 2 })
  await secondOf(there.run)
  there.agents[0]!.stop()
  const result = await there.run.finished
  await leave(there)
  const left = /^Agent \d of 2 \(a1\) ended early: it was told to leave\.$/
  assert.ok(
    result.invalidBecause.some(reason => left.test(reason)),
    result.invalidBecause.join(),
  )
  checkSum(result)
  assert.ok(result.messages.received >= 350, String(result.messages.received))
  assert.equal(result.responseUs.count, result.messages.received)
})

/** A load at a broker that is not the coordinator; parts that are not taken are kept. */
async function atBroker(durationMs: number, agentTimeoutMs: number) {
  const server = await serve('tcp://127.0.0.1:0', { engine: 'node' })
  const broker = await startBroker()
  const files: RunResult[] = []
  const save = (name: string, text: string) => {
    files.push(JSON.parse(text) as RunResult)
    return name
  }
  const agents = ['one', 'two'].map(name => agent(broker.url, { name, save }))
  await Promise.all(agents.map(({ ready }) => ready))
  // Without a broker its coordinator waits until the drain would be over.
  const patience = { drainMs: 4_000, agentTimeoutMs }
  const options = { ...load, ...patience, durationMs, agents: 2, broker: broker.url }
  return { server, broker, files, agents, run: bench(server.address, options) }
}

test(
  'without a broker agents end by the plan, and their files make the whole',
  { skip: onlyFull },
  async () => {
    const there = await atBroker(2_000, 4_000)
    await secondOf(there.run)
    await there.broker.kill()
    const result = await there.run.finished
    const gone =
      /^The connection to the broker broke after .*`yodel merge yodel-part-[0-9a-f]+-\*\.json`/
    assert.ok(
      result.invalidBecause.some(reason => gone.test(reason)),
      result.invalidBecause.join(),
    )
    checkSum(result)
    assert.ok(result.messages.planned < 400)
    await leave(there)
    assert.equal(there.files.length, 2)
    const all = merge(there.files)
    assert.deepEqual([all.messages.planned, all.messages.received], [400, 400])
    await there.server.close('now')
  },
)

test('a broker that comes back is no harm: late is merged once', { skip: onlyFull }, async () => {
  const there = await atBroker(2_500, 60_000)
  await secondOf(there.run)
  await there.broker.kill()
  const again = await startBroker(there.broker.port)
  const result = await there.run.finished
  await leave(there)
  await again.kill()
  checkSum(result)
  assert.equal(result.messages.received, 500)
  assert.equal(result.responseUs.count, 500)
  assert.equal(
    result.intervals.reduce((sum, { received }) => sum + received, 0),
    500,
  )
  assert.deepEqual(there.files, [])
  assert.ok(!result.invalidBecause.some(reason => /broker|unknown/.test(reason)))
  await there.server.close('now')
})

test('when their coordinator is killed, agents write their parts', { skip: onlyFull }, async () => {
  await using server = await serve('tcp://127.0.0.1:0', { engine: 'node' })
  const flags = ['--connections', '4', '--rate', '200', '--duration', '10m', '--warmup', '0']
  const fleetFlags = ['--agents', '2', '--broker-listen', 'mqtt://127.0.0.1:0']
  const engine = ['--engine', 'node', '--agent-timeout', '4s']
  await using leader = yodel(['bench', server.url, '--ndjson', ...flags, ...fleetFlags, ...engine])
  const [, url] = await leader.says(/yodel agent (mqtt:\S+)/)
  const files = new Map<string, RunResult>()
  let agents: Agent[] = []
  const saved = new Promise<void>(resolve => {
    const save = (name: string, text: string) => {
      files.set(name, JSON.parse(text) as RunResult)
      if (files.size === 2) resolve()
      return name
    }
    agents = ['one', 'two'].map(name => agent(url, { name, save }))
  })
  await leader.says(/"event":"interval"/)
  leader.kill('SIGKILL')
  await saved
  await leave({ agents })
  assert.match([...files.keys()].join(), /yodel-part-[0-9a-f]+-[12]of2\.json/)
  const all = merge([...files.values()])
  assert.ok(all.messages.received >= 200)
  assert.equal(all.messages.lost, 0)
})

test('Ctrl-C ends the load of all agents, with its result', async () => {
  await using server = await serve('tcp://127.0.0.1:0', { engine: 'node' })
  const there = await fleet(server.url, { ...load, durationMs: 600_000, agents: 2 })
  await secondOf(there.run)
  there.run.stop()
  const result = await there.run.finished
  await leave(there)
  checkSum(result)
  assert.ok(result.seconds < 300)
  // And before it begins: nothing is sent.
  const waiting = await fleet(server.url, { ...load, agents: 2 }, {}, 1)
  waiting.run.stop('now')
  await assert.rejects(waiting.run.finished, UserError)
  await leave(waiting)
})

test('one that is stopped for 5 seconds is not valid by itself', { skip: onlyFull }, async () => {
  await using server = await serve('tcp://127.0.0.1:0', { engine: 'node' })
  const there = await fleet(server.url, { ...load, durationMs: 9_000, agents: 2 }, {}, 1)
  await using two = yodel(['agent', there.url, '--name', 'two'])
  await secondOf(there.run)
  two.kill('SIGSTOP')
  await new Promise(resolve => setTimeout(resolve, 5_000))
  two.kill('SIGCONT')
  const result = await there.run.finished
  await leave(there)
  checkSum(result)
  assert.equal(result.messages.planned, 1_800)
  assert.ok(result.notes.some(note => /^two (was silent|died) at .*, and came back\.$/.test(note)))
  const reason = /^Agent \d of 2 \(two\) is not valid by itself/
  assert.ok(
    result.invalidBecause.some(each => reason.test(each)),
    result.invalidBecause.join(),
  )
})

test('a wall clock that is 3 seconds off changes nothing', { skip: onlyFull }, async () => {
  await using server = await serve('tcp://127.0.0.1:0', { engine: 'node' })
  const there = await fleet(server.url, { ...load, durationMs: 1_000, agents: 2 }, {}, 1)
  const off = 'data:text/javascript,const{now}=Date;Date.now=()=>now()+3000'
  const args = ['--import', off, yodelPath, 'agent', there.url, '--name', 'two', '--once']
  await using two = new Program(process.execPath, args, 'ignore')
  const result = await there.run.finished
  await leave(there)
  assert.equal((await two.finished).code, 0)
  assert.ok(result.notes.some(note => /^The wall clock of two is (3s|[23]\.\d+s) ahead/.test(note)))
  const began = result.run.parts!.map(({ startedAt }) => Date.parse(startedAt))
  assert.ok(Math.abs(began[0]! - began[1]!) < 1_000, String(began))
  assert.equal(result.messages.received, 200)
})

test('a file of a part is written where the agent was started', { skip: onlyFull }, async () => {
  await using server = await serve('tcp://127.0.0.1:0', { engine: 'node' })
  const broker = await startBroker()
  const script = 'cd "$1" && shift && exec "$@"'
  const args = [process.execPath, yodelPath, 'agent', broker.url, '--name', 'one', '--once']
  await using one = new Program('sh', ['-c', script, 'sh', folder, ...args], 'ignore')
  const options = { ...load, durationMs: 3_000, agents: 1, broker: broker.url, agentTimeoutMs: 500 }
  const run = bench(server.address, { ...options, agentTimeoutMs: 10_000 })
  await secondOf(run)
  await broker.kill()
  run.stop('now')
  const { code, stderr } = await one.finished
  assert.equal(code, 0)
  assert.match(stderr, /its part is in (\S+), for/)
  const [, path] = /its part is in (\S+), for/.exec(stderr)!
  assert.equal((JSON.parse(readFileSync(path!, 'utf8')) as RunResult).messages.received, 600)
  await run.finished.catch(() => {})
})
