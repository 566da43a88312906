/**
 * A generator that is stopped, or gets no processor, says which figures are its own. The real
 * program is stopped by its signal; how long is known from the system, not from a timer.
 */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { serve, type FaultSpec, type RunResult, type Server } from 'yodel'
import { full, onlyFull } from './full.ts'
import { missing, Program, yodel, yodelPath } from './program.ts'
import { loadRefusal } from './refusal.ts'
import {
  assertOwn,
  closedConnections,
  depthOf,
  limitMs,
  openRate,
  sum,
  timesOf,
  type Stop,
} from './stopped.ts'

const linux = process.platform !== 'linux' && 'only Linux says whether a process is stopped'
const engines = ['node', 'uring'] as const

/** Every day each loop and each engine once. */
function stopsOf(): Stop[] {
  const stops: Stop[] = []
  for (const engine of engines)
    for (const loop of ['closed', 'open'] as const)
      for (const scheme of ['tcp', 'tls', 'http'] as const)
        for (const stopMs of scheme === 'tcp' ? [100, 500, 1_000] : [250])
          if (full || isDaily({ engine, scheme, loop, stopMs }))
            stops.push({ engine, scheme, loop, stopMs })
  return stops
}

const isDaily = ({ engine, scheme, loop, stopMs }: Stop): boolean =>
  scheme === 'tcp' && stopMs === 500 && (engine === 'node') === (loop === 'closed')

describe('a generator that is stopped', () => {
  for (const stop of stopsOf()) {
    const { engine, scheme, loop, stopMs } = stop
    test(`${engine}, ${scheme}, ${loop} loop, ${stopMs} ms`, async context => {
      const why = linux || loadRefusal(engine)
      if (why) return context.skip(why)
      await using server = await serve(`${scheme}://127.0.0.1:0`, { engine: 'node' })
      await using program = yodel(['bench', server.url, ...flagsOf(stop), '--json'])
      const stoppedMs = (await begun(server, program)) && (await standStill(program, stopMs))
      await goneOn(server, program, 200)
      const { code, stdout, stderr } = await program.finished
      if (/cannot|does not/.test(stderr) && code === 2) return context.skip(stderr)
      const result = JSON.parse(stdout.toString()) as RunResult
      assertOwn({ code, result, stderr }, Number(stoppedMs), stop)
    })
  }
})

// Every day the same is shown of messages.
test('short connections of a generator that is stopped', { skip: onlyFull || linux }, async () => {
  await using server = await serve('tcp://127.0.0.1:0', { engine: 'node' })
  const load = ['--connections', '0', '--churn', '200', '--warmup', '0', '--duration', '60s']
  const limits = ['churn.max<350ms', 'connect.max<350ms'].flatMap(limit => ['--expect', limit])
  await using program = yodel(['bench', server.url, ...load, ...limits, '--json'])
  const stoppedMs = (await begun(server, program)) && (await standStill(program, 500))
  await goneOn(server, program, 150)
  const { code, stdout, stderr } = await program.finished
  const result = JSON.parse(stdout.toString()) as RunResult
  const said = `${stderr}${result.invalidBecause.join(' ')}`
  assert.deepEqual([code, result.valid], [130, false], said)
  const { generator, connectUs, churn, expectations } = result
  // What became due meanwhile began when it went on: that time is the generator's.
  for (const [name, { max: measured }] of [
    ['connect', connectUs],
    ['churn', churn!.durationUs],
  ] as const) {
    assert.ok(measured! >= Number(stoppedMs) * 900, `${name}: ${measured} us`)
    const own = generator.own!.find(({ figure }) => figure === `${name}.max`)
    assert.ok(own && own.bound < own.measured, JSON.stringify(generator.own))
    const limited = expectations.find(({ objective }) => objective.startsWith(name))!
    // The server may have been slow, too, where it had to wait for a processor.
    if (own.bound < 350e3) assert.ok(limited.held || limited.ownFault, limited.measuredText)
    const { measured: as, less } = generator.touched![`${name}Us`]!
    const lessUs = sum(timesOf(as)) - sum(timesOf(less))
    assert.ok(lessUs >= Number(stoppedMs) * 900, JSON.stringify([as, less]))
  }
  assert.match(said, /churn\.max.* generator's own: it was held up/)
  assert.equal(churn!.planned, churn!.completed)
})

/** An answer takes so long that some are under way whenever the generator is stopped. */
const answerMs = 100
const steady = ['--rate', '50', '--depth', '200', '--connections', '2']
/** Each way to wait for an answer. */
const patient = [
  ['uring', 'tcp', steady],
  ['node', 'tcp', steady],
  ['node', 'tls', [...steady, '--insecure']],
  ['node', 'http', ['--rate', '50', '--connections', '8']],
  ['node', 'udp', steady],
  ['node', 'tcp', ['--connections', '0', '--churn', '30']],
  ['uring', 'tcp', ['--connections', '0', '--churn', '30']],
  ['uring', 'ws', ['--connections', '0', '--churn', '30']],
] as const

describe('a generator that is stopped for longer than its timeout', () => {
  for (const [engine, scheme, flags] of patient)
    test(`${engine}, ${scheme} ${flags.join(' ')}`, { skip: onlyFull || linux }, async context => {
      const why = loadRefusal(engine)
      if (why) return context.skip(why)
      const faults: FaultSpec[] = [{ kind: 'delay', ms: answerMs }]
      await using server = await serve(`${scheme}://127.0.0.1:0`, { engine: 'node', faults })
      // A server that answers on a busy machine is never so late.
      const times = ['--warmup', '0', '--duration', '1500ms', '--timeout', '1s']
      const args = ['bench', server.url, '--engine', engine, ...flags, ...times, '--json']
      await using program = yodel(args)
      assert.ok(await begun(server, program, 5))
      await standStill(program, 1_200)
      const { code, stdout, stderr } = await program.finished
      const result = JSON.parse(stdout.toString()) as RunResult
      const { messages, errors, datagrams } = result
      // Nothing of it is the server's.
      const failed = Object.entries(errors).filter(([, count]) => count > 0)
      assert.deepEqual([failed, messages.lost, datagrams?.late ?? 0], [[], 0, 0], stderr)
      assert.equal(code, 4, result.failedBecause.join(' '))
    })
})

const flagsOf = (stop: Stop): string[] => [
  '--engine',
  stop.engine,
  ...(stop.scheme === 'tls' ? ['--insecure'] : []),
  ...(stop.loop === 'open'
    ? ['--rate', `${openRate}`, '--connections', '2', '--depth', `${depthOf(stop.scheme)}`]
    : ['--connections', `${closedConnections}`]),
  '--warmup',
  '0',
  '--duration',
  '60s',
  '--expect',
  `max<${limitMs(stop)}ms`,
]

/** Whether it is in its window: it may have ended before, as one that is refused. */
async function begun(server: Server, { finished }: Program, chunks = 20): Promise<boolean> {
  const ended = finished.then(() => true)
  while (server.counts().chunks < chunks)
    if (await Promise.race([ended, sleep(2, false)])) return false
  return true
}

/** Ends it once the server has read so many chunks more: however long that takes. */
async function goneOn(server: Server, program: Program, chunks: number): Promise<void> {
  const wanted = server.counts().chunks + chunks
  const ended = program.finished.then(() => true)
  while (server.counts().chunks < wanted) if (await Promise.race([ended, sleep(2, false)])) return
  program.kill('SIGINT')
}

const stateOf = (pid: number): string => {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
  return text.slice(text.lastIndexOf(')') + 2)[0]!
}

/** Stops it for at least so long. Returns for how long it certainly did nothing. */
async function standStill({ child }: Program, ms: number): Promise<number> {
  child.kill('SIGSTOP')
  while (stateOf(child.pid!) !== 'T') await sleep(1)
  const fromMs = performance.now()
  await sleep(ms)
  const tookMs = performance.now() - fromMs
  child.kill('SIGCONT')
  return tookMs
}

/** Starts processes that do nothing but use a core, until they are disposed of. */
function busy(count: number, core: number) {
  // Should this process be killed, they end as well.
  const endless = ['sh', '-c', 'while kill -0 $PPID; do :; done']
  const children = Array.from({ length: count }, () =>
    spawn('taskset', ['-c', String(core), ...endless], { stdio: 'ignore' }),
  )
  return {
    [Symbol.dispose]() {
      for (const child of children) child.kill('SIGKILL')
    },
  }
}

describe('a generator whose core three others use', () => {
  for (const engine of engines)
    for (const loop of ['closed', 'open'] as const)
      for (const scheme of ['tcp', 'tls', 'http'] as const)
        test(`${engine}, ${scheme}, ${loop} loop`, { skip: onlyFull || linux }, async context => {
          const why = missing('taskset') || loadRefusal(engine)
          if (why) return context.skip(why)
          const core = allowedCore()
          await using server = await serve(`${scheme}://127.0.0.1:0`, { engine: 'node' })
          const flags = [...flagsOf({ engine, scheme, loop, stopMs: 800 }), '--duration', '1500ms']
          const args = ['-c', String(core), process.execPath, yodelPath, 'bench', server.url]
          await using program = new Program('taskset', [...args, ...flags, '--json'], 'ignore')
          await begun(server, program)
          using _ = busy(3, core)
          const { code, stdout, stderr } = await program.finished
          if (/cannot|does not/.test(stderr) && code === 2) return context.skip(stderr)
          const result = JSON.parse(stdout.toString()) as RunResult
          const said = JSON.stringify({ ...result.generator, touched: undefined })
          assert.ok(result.generator.queuedShare! > 0.1, said)
          // A thread that asks for short time slices may lose little of an open loop.
          assert.ok(loop === 'open' ? result.generator.own!.length > 0 : !result.valid, said)
          assert.equal(code, result.valid ? 0 : 4)
          if (loop === 'closed')
            assert.match(result.invalidBecause.join(' '), /rate.* generator's own: .*processor/)
        })
})

/** One that this process may use. */
function allowedCore(): number {
  const { stdout } = spawnSync('taskset', ['-c', '-p', String(process.pid)])
  return Number(/: (\d+)/.exec(stdout.toString())![1])
}
