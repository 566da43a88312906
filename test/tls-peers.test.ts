/** Other programs over TLS: they connect to our server, and we connect to theirs. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { after, before, test } from 'node:test'
import { connect, serve, type Server } from 'yodel'
import { freePort, pattern } from './client.ts'
import { missing, portOf, Program, root } from './program.ts'

const files = `${root}test/peers/tls`
const authority = `${files}/ca.pem`
const absent = {
  openssl: spawnSync('openssl', ['version']).error ? 'openssl is not installed' : false,
  socat: spawnSync('socat', ['-V']).error ? 'socat is not installed' : false,
  ncat: missing('ncat'),
  python3: missing('python3'),
}

let server: Server
before(async () => {
  const { pem } = await import('./certificates.ts')
  const tls = { cert: pem('server.pem'), key: pem('server.key') }
  server = await serve('tls://127.0.0.1:0', { tls })
})
after(() => server.close('now'))

const sent = pattern(300_000, 9)

type Peer = [name: keyof typeof absent, about: string, command: (port: number) => string[]]
const clients: Peer[] = [
  [
    'socat',
    'socat, after half-close',
    port => ['socat', '-t', '60', '-', `OPENSSL:127.0.0.1:${port},cafile=${authority}`],
  ],
  [
    'ncat',
    'ncat, after half-close',
    port => ['ncat', '--ssl-verify', '--ssl-trustfile', authority, 'localhost', String(port)],
  ],
  [
    'python3',
    'python3, which wants close_notify',
    port => ['python3', `${root}test/peers/tls/client.py`, String(port), authority],
  ],
]

for (const [name, about, command] of clients) {
  test(`300 kB come back the same: ${about}`, { skip: absent[name] }, async () => {
    const [program, ...args] = command(portOf(server.url))
    await using peer = new Program(program!, args, sent)
    const { code, stdout, stderr } = await peer.finished
    assert.ok(stdout.equals(sent), `${stdout.length} bytes came back. ${stderr}`)
    assert.equal(code, 0)
  })
}

for (const version of ['-tls1_2', '-tls1_3']) {
  test(`openssl s_client ${version} verifies and is echoed`, { skip: absent.openssl }, async () => {
    const where = ['-connect', `127.0.0.1:${portOf(server.url)}`, '-verify_ip', '127.0.0.1']
    const how = [version, '-CAfile', authority, '-verify_return_error', '-alpn', 'h2']
    await using peer = new Program('openssl', ['s_client', ...where, ...how], 'open')
    peer.child.stdin!.write('hello there\n')
    const [said] = await peer.says(/[^]*hello there/)
    assert.match(said, /Verify return code: 0 \(ok\)|Verification: OK/)
    assert.match(said, /ALPN protocol: h2/)
  })
}

const servers: Peer[] = [
  [
    'socat',
    'socat',
    port => {
      const options = `cert=${files}/server.pem,key=${files}/server.key,verify=0,reuseaddr`
      return ['socat', `OPENSSL-LISTEN:${port},bind=127.0.0.1,${options}`, 'EXEC:cat']
    },
  ],
  [
    'ncat',
    'ncat',
    port => {
      const identity = ['--ssl-cert', `${files}/server.pem`, '--ssl-key', `${files}/server.key`]
      return ['ncat', '--ssl', ...identity, '-l', '127.0.0.1', String(port), '-e', '/bin/cat']
    },
  ],
]

for (const [name, about, command] of servers) {
  test(`we are echoed by ${about}`, { skip: absent[name] }, async () => {
    const { pem } = await import('./certificates.ts')
    const port = await freePort()
    const [program, ...args] = command(port)
    await using _ = new Program(program!, args, 'ignore')
    const calling = { tls: { ca: pem('ca.pem') } }
    // It does not say when it listens.
    const connection = await retried(() => connect(`tls://127.0.0.1:${port}`, { calling }))
    // What a pipe holds: ncat writes all that it has read before it reads on.
    const message = sent.subarray(0, 30_000)
    const { reply } = await connection.echo(message)
    assert.ok(message.equals(reply))
    await connection.close()
  })
}

async function retried<T>(attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (!(error as Error).message.includes('ECONNREFUSED')) throw error
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }
}
