/** A scenario file: the same options as the command line, checked, and replaced by typed ones. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { serve, type RunResult, type Server } from 'yodel'
import { createCertificate } from './certificates.ts'
import { root } from './program.ts'
import { createTypist } from './typist.ts'

const typed = createTypist()
const folder = mkdtempSync(join(tmpdir(), 'yodel-scenario-'))
let server: Server
before(async () => void (server = await serve('tcp://127.0.0.1:0', { engine: 'node' })))
after(async () => {
  await server.close('now')
  rmSync(folder, { recursive: true })
})

function file(name: string, content: string): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

const yaml = () => `# What we promise
command: bench
address: ${server.url}
connections: 3
count: 30        # in all
warmup: 0
size: 64
engine: node
count-corruption: true
expect:
  - lost=0
  - errors=0
`

const run = async (...args: string[]) => {
  const { stdout, stderr, code } = await typed(args)
  assert.ok(code === 0 || code === 4, stderr)
  return JSON.parse(stdout) as RunResult
}

test('YAML and JSON say what could be typed', async () => {
  const words = ['--connections', '3', '--count', '30', '--warmup', '0', '--size', '64']
  words.push('--engine', 'node', '--count-corruption', '--expect', 'lost=0', '--expect', 'errors=0')
  const wanted = await run('bench', server.url, '--json', ...words)
  const json = {
    command: 'bench',
    address: server.url,
    connections: 3,
    count: 30,
    warmup: '0',
    size: 64,
    engine: 'node',
    'count-corruption': true,
    expect: ['lost=0', 'errors=0'],
  }
  for (const path of [file('load.yaml', yaml()), file('load.json', JSON.stringify(json))]) {
    const result = await run('bench', '--scenario', path, '--json')
    assert.deepEqual(result.run.options, wanted.run.options)
    assert.equal(result.run.address, server.url)
    assert.equal(result.run.reproduce, wanted.run.reproduce)
    assert.equal(result.expectations.length, 2)
  }
})

test('what is typed replaces what the file says, the address and lists too', async () => {
  const path = file('other.yaml', yaml().replace(server.url, 'tcp://192.0.2.1:7'))
  const args = ['--scenario', path, '--json', '-n', '5', '--expect', 'wrong=0']
  const result = await run('bench', server.url, ...args)
  assert.equal(result.run.address, server.url)
  assert.equal(result.messages.received, 5)
  assert.deepEqual(
    result.expectations.map(({ objective }) => objective),
    ['wrong=0'],
  )
  assert.equal(result.run.options['connections'], 3)
})

test('flood has its message, check its questions; files lie beside the scenario', async () => {
  const content = `address: ${server.url}\nmessage: hi\ncount: 4\nwarmup: 0\n`
  const flood = file('flood.yaml', content.replace('warmup: 0\n', ''))
  const result = await run('flood', '--scenario', flood, '--json')
  assert.equal(result.bytes.sent, 8)
  const check = file('check.yaml', `address: ${server.url}\nonly: [bytes]\nexpect: bytes=ok\n`)
  const { code, stdout } = await typed(['check', '--scenario', check])
  // What it finds out on a busy machine is not the matter here.
  assert.ok([0, 1, 4].includes(code), stdout)
  assert.match(stdout, /^  bytes .*\n(?: {24}.*\n)*\n[^]*(held|missed) +bytes=ok/m)
  const localhost = createCertificate(['localhost'])
  await using secure = await serve('tls://127.0.0.1:0', { tls: localhost })
  file('ca.pem', localhost.cert)
  const tls = file('tls.yaml', `address: ${secure.url}\nca: ca.pem\ninsecure: true\ncount: 1\n`)
  assert.equal((await run('bench', '--scenario', tls, '--json')).messages.received, 1)
})

test('what is wrong in it is said in a line, with file and name', async () => {
  const cases: [content: string, said: RegExp][] = [
    ['conections: 3', /conections: There is no such option\. Did you mean connections\?/],
    ['colour: red', /colour: There is no such option\. The names are those of --help/],
    ['scenario: x.yaml', /scenario: There is no such option/],
    ['rate: 5/x', /rate: '5\/x' is not a rate\./],
    ['count: [1, 2]', /count: It needs one value\./],
    ['connections:', /connections: It needs one value\./],
    ['reconnect: perhaps', /reconnect: It is true or false\./],
    ['engine: steam', /engine: 'steam' is not a name\. The names are auto, /],
    ['command: serve', /command: It is for yodel serve, not for yodel bench\./],
    ['address: nonsense', /address: 'nonsense' is not an address\./],
    ['count: 1\ncount: 2', /is not YAML: Map keys must be unique/],
    ['count: [1', /is not YAML: /],
    ['- count', /has no options\./],
    ['', /has no options\./],
    ['ca: none.pem', /ca: Cannot read \S+none\.pem: there is no such file/],
    ['headers: "X: y"', /headers: There is no such option\. Did you mean header\?/],
    ['precision: 5%', /^yodel: --precision is for --find-max\.$/],
  ]
  for (const [n, [content, said]] of cases.entries()) {
    const path = file(`bad-${n}.yaml`, `${content}\n`)
    const { code, stderr } = await typed(['bench', server.url, '--scenario', path])
    assert.equal(code, 2, content)
    assert.match(stderr.trimEnd(), said)
    assert.equal(stderr.trimEnd().split('\n').length, 1, stderr)
  }
  const missing = await typed(['bench', '--scenario', join(folder, 'missing.yaml')])
  assert.match(missing.stderr, /Cannot read \S+missing\.yaml: there is no such file/)
  const broken = await typed(['bench', '--scenario', file('bad.json', '{"count": 1,}')])
  assert.match(broken.stderr, /bad\.json is not JSON: /)
})

test('the example of the documentation works', async () => {
  const page = readFileSync(`${root}docs/scenario.md`, 'utf8')
  const [, example] = /```yaml\n([^]*?)```/.exec(page)!
  const path = file('example.yaml', example!)
  const args = ['--scenario', path, '--json', '-n', '5', '--warmup', '0', '--rate', '1k']
  // With five messages the p99 is not known, so its objective is missed.
  const { stdout, code, stderr } = await typed(['bench', server.url, ...args])
  assert.ok(code === 1 || code === 4, stderr)
  const result = JSON.parse(stdout) as RunResult
  assert.equal(result.run.options['connections'], 50)
  assert.ok(result.expectations.length >= 2)
})
