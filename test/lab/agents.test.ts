/** Five agents, each on a host of its own, at the embedded broker and at Debian's mosquitto. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { RunResult } from 'yodel'
import { onlyFull } from '../full.ts'
import { missing, type Program } from '../program.ts'
import type { Host } from './host.ts'
import { Lab, noLab } from './lab.ts'

const skip = noLab || onlyFull
const token = 'a secret of more than 16 characters'
const folder = mkdtempSync(join(tmpdir(), 'yodel-'))
after(() => rmSync(folder, { recursive: true }))
const tokenFile = join(folder, 'token')
writeFileSync(tokenFile, token)
const names = ['a1', 'a2', 'a3', 'a4', 'a5']

/** A server and a broker in the middle, and a link to each agent. */
async function star() {
  const lab = await Lab.create(names.map(name => ['hub', name] as const))
  const hub = lab.host('hub')
  const { port } = await hub.serve('tcp://0.0.0.0:0', '--engine', 'node')
  const address = hub.addresses.get('a1')!.ip4
  return { lab, hub, address, target: `tcp://${address}:${port}` }
}

const secret = ['--token-file', tokenFile]

function agents(lab: Lab, broker: string, target: string, ...more: string[]): Program[] {
  const allow = ['--allow', target, '--once']
  return names.map(name =>
    lab.host(name).yodel(['agent', broker, '--name', name, ...secret, ...allow, ...more]),
  )
}

const load = ['--connections', '10', '--rate', '200', '--depth', '100', '--engine', 'node']

function lead(hub: Host, target: string, duration: string, ...more: string[]): Program {
  const flags = [
    '--duration',
    duration,
    '--agents',
    '5',
    '--warmup',
    '500ms',
    '--ndjson',
    ...secret,
  ]
  return hub.yodel(['bench', target, ...load, ...flags, ...more])
}

const resultOf = (stdout: Buffer) =>
  JSON.parse(stdout.toString().trim().split('\n').at(-1)!) as RunResult

/** How far apart they began, by the coordinator's clock. */
function spreadMs({ run }: RunResult): number {
  const errors = run.parts!.map(({ startErrorMs }) => startErrorMs!)
  return Math.max(...errors) - Math.min(...errors)
}

function check(result: RunResult, where: string, note: (text: string) => void) {
  const { planned, received, lost } = result.messages
  assert.deepEqual([planned, received, lost], [400, 400, 0])
  assert.equal(result.responseUs.count, 400)
  assert.deepEqual(
    result.run.parts!.map(({ agent, connections }) => [agent!.name, connections]),
    names.map(name => [name, 2]),
  )
  const bound = Math.max(...result.run.parts!.map(({ agent }) => agent!.clockErrorMs))
  note(`${where}: began within ${spreadMs(result).toFixed(3)} ms, clocks ±${bound.toFixed(3)} ms`)
  assert.ok(!result.invalidBecause.some(reason => reason.includes('did not run together')))
}

test('at the embedded broker, over TLS', { skip }, async context => {
  const { lab, hub, address, target } = await star()
  await using _ = lab
  const leader = lead(hub, target, '2s', '--broker-listen', 'mqtts://0.0.0.0:0')
  const [, port, pin] = await leader.says(/yodel agent mqtts:\/\/[^ ]+:(\d+) --pin (\w+)/)
  const all = agents(lab, `mqtts://${address}:${port}`, target, '--pin', pin!)
  const { stdout, stderr } = await leader.finished
  assert.ok(stdout.length > 0, stderr)
  check(resultOf(stdout), 'embedded', text => context.diagnostic(text))
  for (const each of all) assert.equal((await each.finished).code, 0)
})

const noMosquitto = missing('mosquitto') && 'mosquitto is not installed'

/** Debian's, with a listener for other machines. */
async function mosquitto(hub: Host): Promise<Program> {
  const config = join(folder, 'mosquitto.conf')
  writeFileSync(config, 'listener 1883 0.0.0.0\nallow_anonymous true\n')
  const broker = hub.run('mosquitto', ['-v', '-c', config])
  await broker.says(/mosquitto version .* running/)
  return broker
}

test("at Debian's mosquitto", { skip: skip || noMosquitto }, async context => {
  const { lab, hub, address, target } = await star()
  await using _ = lab
  await mosquitto(hub)
  const broker = `mqtt://${address}:1883`
  const all = agents(lab, broker, target)
  const leader = lead(hub, target, '2s', '--broker', broker)
  const { stdout, stderr } = await leader.finished
  assert.ok(stdout.length > 0, stderr)
  check(resultOf(stdout), 'mosquitto', text => context.diagnostic(text))
  for (const each of all) assert.equal((await each.finished).code, 0)
})

test('an agent whose network is cut, and heals, is whole', { skip }, async () => {
  const { lab, hub, address, target } = await star()
  await using _ = lab
  const listen = ['--broker-listen', 'mqtts://0.0.0.0:0', '--agent-timeout', '20s']
  // What is sent meanwhile must not fail: TCP repeats it.
  const leader = lead(hub, target, '8s', ...listen, '--timeout', '20s', '--drain', '20s')
  const [, port, pin] = await leader.says(/yodel agent mqtts:\/\/[^ ]+:(\d+) --pin (\w+)/)
  agents(lab, `mqtts://${address}:${port}`, target, '--pin', pin!)
  await leader.says(/"event":"interval"/)
  const cut = lab.host('a3')
  await cut.nft('input', `tcp sport ${port} drop`)
  await cut.nft('output', `tcp dport ${port} drop`)
  // Three snapshots are missed: the seconds of the others go on.
  await leader.says(/"second":[4-6]/)
  await cut.sh('nft delete table inet lab')
  const { stdout } = await leader.finished
  const result = resultOf(stdout)
  assert.deepEqual([result.messages.planned, result.messages.received], [1_600, 1_600])
  assert.equal(result.responseUs.count, 1_600)
  assert.ok(
    result.notes.some(note => /^a3 (was silent|died) at .*, and came back\.$/.test(note)),
    result.notes.join(),
  )
})

test('an agent whose network stays cut is lost', { skip }, async () => {
  const { lab, hub, address, target } = await star()
  await using _ = lab
  const listen = ['--broker-listen', 'mqtts://0.0.0.0:0', '--agent-timeout', '20s']
  const leader = lead(hub, target, '6s', ...listen)
  const [, port, pin] = await leader.says(/yodel agent mqtts:\/\/[^ ]+:(\d+) --pin (\w+)/)
  const all = agents(lab, `mqtts://${address}:${port}`, target, '--pin', pin!)
  await leader.says(/"event":"interval"/)
  await lab.host('a3').nft('input', `tcp sport ${port} drop`)
  const { code, stdout } = await leader.finished
  const result = resultOf(stdout)
  assert.equal(code, 4)
  assert.ok(
    result.invalidBecause.some(reason =>
      /^Agent \d of 5 \(a3\) (was silent|died) at /.test(reason),
    ),
    result.invalidBecause.join(),
  )
  const { planned, received, lost, unfinished } = result.messages
  assert.equal(planned, received + lost + unfinished)
  // Nothing waits for its part, so it is in a file.
  const { stderr } = await all[2]!.finished
  const [, file] = /its part is in (\S+), for/.exec(stderr)!
  rmSync(file!)
})
