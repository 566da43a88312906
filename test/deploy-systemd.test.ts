/** The units of deploy/systemd: systemd reads them, and what they start serves its socket. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { serve, type RunResult } from 'yodel'
import { dial, echo, freePort } from './client.ts'
import { onlyFull } from './full.ts'
import { missing, Program, root, yodel, yodelPath } from './program.ts'
import { createTypist } from './typist.ts'
import { flagsUnknownTo } from './usage.ts'

const typed = createTypist()
const units = readdirSync(`${root}deploy/systemd`)
const unit = (name: string) => readFileSync(`${root}deploy/systemd/${name}`, 'utf8')
const folder = mkdtempSync(join(tmpdir(), 'yodel-units-'))
after(() => rmSync(folder, { recursive: true }))

/** The words after the program of an ExecStart=. */
const wordsOf = (name: string) =>
  /^ExecStart=\/usr\/bin\/yodel (.*)$/m.exec(unit(name))![1]!.split(' ')

const systemd = (...args: string[]) =>
  spawnSync('systemd-analyze', args, { encoding: 'utf8', cwd: folder })

test('systemd finds no mistake in the units', { skip: missing('systemd-analyze') }, () => {
  for (const name of units) {
    // The program that they start is there only where the package is installed.
    const text = unit(name).replaceAll('/usr/bin/yodel', process.execPath)
    writeFileSync(join(folder, name), text)
  }
  const { stderr, status } = systemd('verify', '--man=no', ...units)
  assert.equal(stderr, '')
  assert.equal(status, 0)
  // One that was made is found.
  writeFileSync(join(folder, 'made.service'), '[Service]\nExecStart=/bin/true\nProtectSytem=yes\n')
  assert.match(systemd('verify', '--man=no', 'made.service').stderr, /ProtectSytem/)
})

test('a service has little of the system', { skip: missing('systemd-analyze') }, () => {
  for (const name of units.filter(name => name.endsWith('.service'))) {
    // In tenths: 10.0 is a service without any protection. 2 is what systemd calls OK.
    const limits = ['--offline=true', `--threshold=${name === 'yodel.service' ? 15 : 20}`]
    const path = `${root}deploy/systemd/${name}`
    const { status, stdout } = systemd('security', '--no-pager', ...limits, path)
    assert.equal(status, 0, stdout)
  }
})

/** The names of a filter; a group has others within. */
function callsOf(filter: string): string[] {
  const names = filter.startsWith('@')
    ? systemd('syscall-filter', filter)
        .stdout.split('\n')
        .slice(1)
        .map(line => line.trim())
        .filter(line => line !== '' && !line.startsWith('#'))
    : undefined
  return names?.flatMap(name => callsOf(name)) ?? [filter]
}

/** What a unit lets its program call. */
function allowedBy(name: string): Set<string> {
  const allowed = new Set<string>()
  for (const [, without, list] of unit(name).matchAll(/^SystemCallFilter=(~?)(.*)$/gm))
    for (const call of list!.split(' ').flatMap(callsOf))
      if (without === '~') allowed.delete(call)
      else allowed.add(call)
  return allowed
}

const strace = missing('systemd-analyze') || missing('strace')
test('a service may call what its program calls', { skip: onlyFull || strace }, async () => {
  const traced = (file: string, ...args: string[]) => {
    const words = ['-f', '-qq', '-o', join(folder, file), process.execPath, yodelPath, ...args]
    return new Program('strace', words, 'ignore')
  }
  await using server = traced('server', 'serve', ':0', '--one-off')
  const [, url] = await server.says(/listening on (\S+)/)
  // What an agent does, too.
  const load = ['--connections', '1', '--rate', '200', '--count', '20', '--warmup', '0']
  await using client = traced('agent', 'bench', url!, ...load)
  await Promise.all([server.finished, client.finished])
  const units = { server: 'yodel.service', agent: 'yodel-agent.service' }
  for (const [file, name] of Object.entries(units)) {
    const calls = readFileSync(join(folder, file), 'utf8').matchAll(/^\d+ +([a-z_0-9]+)\(/gm)
    const called = new Set([...calls].map(([, call]) => call!))
    assert.ok(called.size > 20, [...called].join())
    const allowed = allowedBy(name)
    assert.deepEqual(
      [...called].filter(call => !allowed.has(call)),
      [],
      name,
    )
  }
})

test('the commands of the units have the options that they use', async () => {
  for (const name of units.filter(name => name.endsWith('.service')))
    assert.deepEqual(await flagsUnknownTo(typed, wordsOf(name)), [], name)
})

const activate = 'systemd-socket-activate'
test('the server serves the socket that systemd opened', { skip: missing(activate) }, async () => {
  const [, socketName] = /^FileDescriptorName=(.*)$/m.exec(unit('yodel.socket'))!
  const port = await freePort()
  const listen = [`--listen=127.0.0.1:${port}`, `--fdname=${socketName}`]
  const command = [process.execPath, yodelPath, ...wordsOf('yodel.service')]
  await using program = new Program(activate, [...listen, ...command], 'ignore')
  await program.says(/Listening on/)
  // The first client is there before the server.
  const socket = await dial({ port, host: '127.0.0.1' })
  assert.equal(await echo(socket, 'hello'), 'hello')
  socket.end()
  program.kill()
  const { code, stdout } = await program.finished
  assert.match(stdout.toString(), new RegExp(`listening on tcp://127\\.0\\.0\\.1:${port}`))
  assert.equal(code, 0)
})

test('the agent sends its share of a load', { skip: onlyFull }, async () => {
  await using server = await serve('tcp://127.0.0.1:0')
  const broker = `mqtt://127.0.0.1:${await freePort()}`
  const file = join(folder, 'token')
  writeFileSync(file, 'a token of the test, which is long enough', { mode: 0o600 })
  const words = wordsOf('yodel-agent.service').map(word =>
    word
      .replace('%H', 'unit')
      .replace('${CREDENTIALS_DIRECTORY}', folder)
      .replace('$YODEL_ALLOW', server.url),
  )
  const environment = [`YODEL_BROKER=${broker}`, process.execPath, yodelPath]
  await using agent = new Program('env', [...environment, ...words, '--once'], 'ignore')
  const load = ['--count', '20', '--warmup', '0', '--json']
  const fleet = ['--agents', '1', '--broker-listen', broker, '--token-file', file]
  const { stdout, stderr } = await yodel(['bench', server.url, ...load, ...fleet]).finished
  assert.match(stdout.toString(), /"unit"/, stderr)
  assert.equal((JSON.parse(stdout.toString()) as RunResult).messages.received, 20)
  assert.equal((await agent.finished).code, 0)
})
