/** Serving udp: every datagram comes back as it was, and a server cannot be used for attacks. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { connect, serve, type Server, type ServeOptions } from 'yodel'
import { until } from './client.ts'
import { full, onlyFull } from './full.ts'
import { peer } from './peers/datagrams.ts'
import { missing, Program, yodel } from './program.ts'
import { datagramSuite, portOf } from './udp.suite.ts'

for (const engine of ['uring', 'node'] as const) datagramSuite(engine)

let server: Server
before(async () => void (server = await serve('udp://127.0.0.1:0')))
after(() => server.close())

test('options without a meaning on udp are refused', async () => {
  const asked: [ServeOptions, RegExp][] = [
    [{ concurrency: 1 }, /no limit of clients on udp/],
    [{ idleTimeoutMs: 1 }, /no idle timeout on udp/],
    [{ oneOff: true }, /no leaving after the first client/],
    [{ engine: 'blocking' }, /cannot speak udp/],
    [{ proxy: { mode: 'accept', from: [] }, engine: 'node' }, /PROXY/],
    [{ proxy: { mode: 'accept', from: [] } }, /^PROXY headers[^.]*udp[^.]*\.$/],
    [{ datagrams: { ratePerSource: 0 } }, /more than 0/],
    [{ datagrams: { allow: ['all' as 'loops'] } }, /allow must be one of low-ports/],
  ]
  for (const [options, message] of asked)
    await assert.rejects(serve('udp://127.0.0.1:0', options), { message })
  await assert.rejects(serve(server.url), { message: /the address is already in use/ })
})

test('an echo that does not come is an error, and so is a port without a listener', async () => {
  await using silent = await peer({}, () => {})
  await using client = await connect(`udp://127.0.0.1:${silent.port}`, { timeoutMs: 20 })
  await assert.rejects(client.echo('hello'), { message: /nothing came back within 20 ms/ })
  const gone = await peer()
  await gone[Symbol.asyncDispose]()
  await using alone = await connect(`udp://127.0.0.1:${gone.port}`, { timeoutMs: 20_000 })
  await assert.rejects(alone.echo('hello'), { message: /no server listens there \(ECONNREFUSED\)/ })
})

test('what is answered in spite of a rule is announced; what was refused is counted', async () => {
  const loose = ['--udp-allow', 'low-ports', '--udp-allow', 'loops', '--udp-rate', '5']
  await using program = yodel(['serve', 'udp://0.0.0.0:0', ...loose])
  const [, port] = await program.says(/listening on udp:\/\/0\.0\.0\.0:(\d+)/)
  await using client = await peer()
  for (let n = 0; n < 20; n++) client.send('hello', Number(port))
  await client.have(5)
  program.kill('SIGTERM')
  const { code, stderr } = await program.finished
  assert.equal(code, 0)
  assert.match(stderr, /answers in spite of low-ports\. A forged source/)
  assert.match(stderr, /answers in spite of loops\. /)
  assert.match(stderr, /with rules off: anyone can forge/)
  assert.match(
    stderr,
    /answered \d+ datagrams, refused \d+ \(\d+ over the rate to one source\), \d+ B/,
  )
  if (!full) return
  await using mistaken = yodel(['serve', 'udp://:0', '--udp-allow', 'all'])
  const refused = await mistaken.finished
  assert.equal(refused.code, 2)
  assert.match(refused.stderr, /'all' is not a rule\. The rules are low-ports, own-ports/)
})

const byPython =
  'import socket,sys; s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.settimeout(20);' +
  's.sendto(b"abc"*20000,("127.0.0.1",int(sys.argv[1])));' +
  'print("back", s.recv(70000)==b"abc"*20000)'

const peers: [name: string, command: (port: number) => string[], says: RegExp][] = [
  ['socat', port => ['STDIO', `UDP:127.0.0.1:${port}`], /hello/],
  ['ncat', port => ['-u', '127.0.0.1', `${port}`], /hello/],
  ['python3', port => ['-c', byPython, `${port}`], /back True/],
]

/** A datagram is the same from whichever it comes. */
const skipOf = (name: string) => missing(name) || (name !== 'socat' && onlyFull)
for (const [name, command, says] of peers)
  test(`${name} gets back what it sends`, { skip: skipOf(name) }, async () => {
    await using program = new Program(name, command(portOf(server)), 'open')
    program.child.stdin!.write('hello')
    await program.says(says)
  })

const hung = 'a source that hung meets the faults that come after, and those after them'
test(hung, { skip: onlyFull }, async () => {
  await using odd = await serve('udp://127.0.0.1:0', { faults: [{ kind: 'hang' }] })
  await using client = await connect(odd.url, { timeoutMs: 20_000 })
  const waiting = client.echo('hello')
  await until(() => odd.snapshot().faultsInjected === 1)
  await odd.setFaults([])
  await waiting
  await odd.setFaults([{ kind: 'delay', ms: 50 }])
  assert.ok((await client.echo('again')).latencyUs >= 49_000)
})
