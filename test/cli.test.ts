/** What the real program says: one line with cause and cure, and an exit code. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, suite, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { serve } from 'yodel'
import { dial, echo } from './client.ts'
import { full, onlyFull } from './full.ts'
import { portOf, Program, root, yodel, yodelPath, yodelServe, type Finished } from './program.ts'
import { refusal } from './refusal.ts'
import { createTypist } from './typist.ts'

const folder = mkdtempSync(join(tmpdir(), 'yodel-'))
after(() => rmSync(folder, { recursive: true }))
const windows =
  process.platform === 'win32' && 'Windows has neither signals nor sockets in the file system'

/**
 * Most messages are checked without starting a program; those that depend on the system start one.
 */
const typed = createTypist()

/** Asserts that it ended with this code, said this one line on stderr, and nothing else. */
async function assertFails(
  finishing: Promise<Pick<Finished, 'code' | 'stderr'> & { stdout: string | Buffer }>,
  code: number,
  line: string | RegExp,
) {
  const finished = await finishing
  if (typeof line === 'string') assert.equal(finished.stderr, `yodel: ${line}\n`)
  else assert.match(finished.stderr, line)
  assert.match(finished.stderr, /^yodel: [^\n]+\.\n$/, 'one sentence or two, on one line')
  assert.equal(finished.stdout.length, 0)
  assert.equal(finished.code, code)
}

const addresses =
  'Write for example tcp://127.0.0.1:7007, tcp://[::1]:7007, :7007 or unix:/tmp/echo.'
const durations = 'Write for example 500us, 20ms, 10s or 5m.'

/** Arguments → exit code, and what is said. */
const rows: [args: string[], code: number, line: string | RegExp][] = [
  // Usage that makes no sense.
  [['serve', 'nonsense'], 2, `'nonsense' is not an address. ${addresses}`],
  [
    ['connect', 'nonsense'],
    2,
    `'nonsense' is not an address. ${addresses} See yodel connect --help.`,
  ],
  [['serve', 'ftp://x:1'], 2, /the transport ftp is not known\. The transports are tcp, unix,/],
  [['serve', ':65536'], 2, /':65536': ports go from 0 to 65535\. Port 0 lets the system choose\./],
  [['serve', '::1'], 2, /an IPv6 address needs brackets\. Write for example \[::1\]:7007\./],
  [['connect', ':0'], 2, 'No server can be reached on port 0. Port 0 is only for listening.'],
  [
    ['flood', ':7', '--duration', '5'],
    2,
    "option '-z, --duration <duration>' argument '5' is invalid. '5' is not a duration. " +
      `${durations} See yodel flood --help.`,
  ],
  [['serve', '--drain', '5 parsecs'], 2, /'5 parsecs' is not a duration\./],
  [['flood', ':7', '--rate', '5/x'], 2, /'5\/x' is not a rate\. Write for example 500, 10k\/s/],
  [['flood', ':7', '--count', '1.5'], 2, /'1\.5' is not a whole number\./],
  [['flood', ':7', '--connections', '0'], 2, 'connections must be a whole number from 1 on.'],
  [['flood', ':7', ''], 2, 'message must not be empty: nothing would come back.'],
  [['serve', '--concurrency', '0'], 2, /from 1 on, or unlimited\./],
  [['serve', '--engine', 'steam'], 2, /Allowed choices are auto, .*\. See yodel serve --help\./],
  [['serve', '--concurrency'], 2, /argument missing\. See yodel serve --help\./],
  [
    ['serve', ':0', '--metrics-open'],
    2,
    '--metrics-open does nothing without --dashboard. Add --dashboard.',
  ],
  [['connect', ':7', ':8'], 2, /too many arguments/],
  [['serve', '--jsn'], 2, "unknown option '--jsn' (Did you mean --json?). See yodel serve --help."],
  [['srve'], 2, "unknown command 'srve' (Did you mean serve?). See yodel --help."],
  [['serve', `unix:/${'x'.repeat(200)}`], 2, /path of a unix socket can have at most 107 bytes\./],
  // What the system refuses.
  ...(full ? ['connect', 'flood'] : ['connect']).map((command): [string[], number, string] => [
    [command, ':1'],
    3,
    'Cannot connect to tcp://127.0.0.1:1: no server listens there (ECONNREFUSED). ' +
      'Start a server with `yodel serve`, or check the port.',
  ]),
  // Without a network there is no name service either.
  [
    ['connect', 'name.invalid:7'],
    3,
    /name\.invalid:7: (?:no such host \(ENOTFOUND\)|the name service does not .*)\. Check the name/,
  ],
  // 192.0.2.0/24 belongs to no network (RFC 5737).
  [
    ['serve', '192.0.2.1:0'],
    3,
    /192\.0\.2\.1:0: this machine has no such address \(EADDRNOTAVAIL\)\. See/,
  ],
]

suite('user errors', () => {
  for (const [args, code, line] of rows) {
    const name = args.join(' ').slice(0, 60)
    test(`yodel ${name}: exit ${code}`, () => assertFails(typed(args), code, line))
  }
  test('the program says it, and exits like that', async () => {
    const unknown = /^yodel: unknown command 'srve'/
    if (full) await assertFails(yodel(['srve']).finished, 2, unknown)
    await assertFails(yodel(['connect', ':1'], 'hello').finished, 3, /ECONNREFUSED/)
  })
})

suite('places that cannot be had', { skip: windows }, () => {
  const file = join(folder, 'file')
  writeFileSync(file, 'precious')

  test('a port, and a unix socket, at which another server listens; all or none', async () => {
    const path = join(folder, 'live')
    await using first = await serve('tcp://127.0.0.1:0', { engine: 'node' })
    await using other = await serve(`unix:${path}`, { engine: 'node' })
    const { url } = first
    assert.equal(other.url, `unix:${path}`)
    const cures = { [url]: '; port 0 lets the system choose.', [`unix:${path}`]: ' path.' }
    for (const [taken, cure] of Object.entries(cures)) {
      const line =
        `Cannot listen on ${taken}: the address is already in use (EADDRINUSE). ` +
        `Stop that program or choose another${cure}`
      await assertFails(typed(['serve', taken]), 3, line)
    }
    // The second address is in use, so the first one is closed again, and was never announced.
    const second = join(folder, 'second')
    await assertFails(typed(['serve', `unix:${second}`, url]), 3, /EADDRINUSE/)
    assert.equal(existsSync(second), false)
    // Nothing was taken from the server that was there first.
    for (const where of [{ port: portOf(url) }, { path }]) {
      const socket = await dial(where)
      assert.equal(await echo(socket, 'still here'), 'still here')
      socket.destroy()
    }
  })

  test('a file', async () => {
    const line =
      `Cannot listen on unix:${file}: that is a file, not a socket (ENOTSOCK). ` +
      'Choose a path that does not exist yet.'
    await assertFails(typed(['serve', `unix:${file}`]), 3, line)
    assert.equal(readFileSync(file, 'utf8'), 'precious')
    await assertFails(typed(['connect', `unix:${file}`]), 3, /Cannot connect to unix:/)
  })

  test('a folder that is not there', { skip: onlyFull }, async () => {
    const address = `unix:${folder}/none/socket`
    await assertFails(typed(['serve', address]), 3, /no such file or folder \(ENOENT\)\. Check/)
    await assertFails(typed(['connect', address]), 3, /no such file or folder \(ENOENT\)\. Check/)
  })

  // Root may do anything, so root becomes another user.
  const prefix = process.getuid?.() === 0 ? ['setpriv', '--reuid=65534', '--clear-groups'] : []
  const [command, ...args] = [...prefix, process.execPath, yodelPath]
  const skip =
    onlyFull ||
    (spawnSync(command, [...args, '--version']).status !== 0 &&
      'root cannot run it as a user without privileges here')

  test('a folder in which nothing may be made', { skip }, async () => {
    chmodSync(folder, 0o555)
    const address = `unix:${folder}/socket`
    const line =
      `Cannot listen on ${address}: permission denied (EACCES). ` +
      'Ports below 1024 and folders of other users need privileges.'
    await assertFails(new Program(command, [...args, 'serve', address], 'ignore').finished, 3, line)
    chmodSync(folder, 0o700)
  })
})

test('the socket of a server that was killed is taken over', { skip: windows }, async () => {
  const path = join(folder, 'stale')
  const listening = `require('net').createServer().listen('${path}', () => console.log('there'))`
  await using killed = new Program(process.execPath, ['-e', listening], 'ignore')
  await killed.says(/there/)
  killed.kill('SIGKILL')
  await killed.finished
  assert.ok(existsSync(path))
  const ended = typed(['serve', `unix:${path}`, '--one-off'])
  const isThere = () =>
    dial({ path }).then(
      socket => socket,
      () => undefined,
    )
  let socket: Awaited<ReturnType<typeof isThere>>
  // Until then the socket that was left behind refuses.
  while ((socket = await isThere()) === undefined) await sleep(50)
  assert.equal(await echo(socket, 'hello'), 'hello')
  socket.destroy()
  assert.equal((await ended).code, 0)
})

test('a reader of the ready line may stop it at once', { skip: windows || onlyFull }, async () => {
  const { program, url } = await yodelServe()
  await using _ = program
  assert.match(url, /^tcp:\/\/127\.0\.0\.1:[1-9]\d*$/)
  program.kill()
  const plain = await program.finished
  assert.equal(plain.stdout.toString(), `yodel: listening on ${url}\n`)
  assert.equal(plain.stderr, 'yodel: served 0 clients, 0 B echoed\n')
  assert.equal(plain.code, 0)
})

test(
  'the ready line names the real port, with --json in one object',
  { skip: windows || onlyFull },
  async () => {
    await using json = yodel(['serve', ':0', '--engine', 'node', '--json'])
    await json.says(/\n/)
    // It leaves in good order.
    json.kill()
    const { code, stdout } = await json.finished
    assert.equal(code, 0)
    assert.equal(stdout.toString().indexOf('\n'), stdout.length - 1)
    const { address, ...ready } = JSON.parse(stdout.toString()) as Record<string, unknown>
    assert.match(String(address), /^tcp:\/\/127\.0\.0\.1:[1-9]\d*$/)
    assert.deepEqual(ready, { event: 'listening', engine: 'node', pid: json.child.pid })
  },
)

test('a listener that others can reach says so', { skip: windows }, async () => {
  const urls = ['tcp://0.0.0.0:0', 'udp://0.0.0.0:0']
  const { program, url } = await yodelServe(...urls, '--engine', 'node')
  await using _ = program
  const [, datagrams] = await program.says(/listening on (udp\S+)\n/)
  program.kill()
  const { code, stdout, stderr } = await program.finished
  const ready = [url, datagrams].map(each => `yodel: listening on ${each}\n`)
  assert.deepEqual([code, stdout.toString()], [0, ready.join('')])
  const [warning, stronger, ...last] = stderr.split('\n')
  const words = 'can be reached from other machines;'
  assert.equal(warning, `yodel: ${url} ${words} it echoes every client.`)
  assert.match(
    stronger!,
    /^yodel: udp:.* can be .*; the echo of a datagram goes to its source, even a forged one/,
  )
  assert.deepEqual(last, ['yodel: served 0 clients, answered 0 datagrams, 0 B echoed', ''])
})

test('--help and --version are no errors, and go to stdout', async () => {
  const asked = ['--help', 'help', 'serve --help', 'connect --help', 'flood --help', '--version']
  const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string }
  const tries = asked.map(async text => {
    const { code, stdout, stderr } = await typed(text.split(' '))
    assert.equal(code, 0, text)
    assert.equal(stderr, '', text)
    if (text !== '--version') assert.match(stdout, /^Usage: yodel .*options\]/, text)
    else assert.equal(stdout, `${version}\n`)
  })
  await Promise.all(tries)
})

test('--version -v says what it runs on, and what each engine lacks there', async () => {
  for (const args of [
    ['--version', '-v'],
    ['--verbose', '-V'],
  ]) {
    const { code, stdout, stderr } = await typed(args)
    assert.equal(code, 0, stderr)
    assert.match(stdout, new RegExp(`^node +${process.versions.node}$`, 'm'))
    for (const engine of ['node', 'uring', 'blocking'] as const) {
      const [, said] = new RegExp(`^engine ${engine} +(.*)$`, 'm').exec(stdout)!
      const reason = refusal(engine)
      assert.equal(said, reason === false ? 'works here' : reason)
    }
  }
})

test('without a command: help on stderr, exit 2', async () => {
  const { code, stdout, stderr } = await typed([])
  assert.equal(code, 2)
  assert.equal(stdout, '')
  assert.match(stderr, /^Usage: yodel /)
})
