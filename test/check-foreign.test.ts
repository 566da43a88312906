/** yodel check against echo servers of others: it says what is true of each of them. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { check, type CheckOptions, type CheckResult } from 'yodel'
import { freePort } from './client.ts'
import { onlyFull } from './full.ts'
import { missing, Program, root } from './program.ts'

const certificate = ['-cert', `${root}test/peers/tls/server.pem`]
const key = ['-key', `${root}test/peers/tls/server.key`]

const threaded = `
import socketserver, sys
class Echo(socketserver.BaseRequestHandler):
  def handle(self):
    while data := self.request.recv(65536): self.request.sendall(data)
class Server(socketserver.ThreadingTCPServer): request_queue_size = 100
Server(("127.0.0.1", int(sys.argv[1])), Echo).serve_forever()`
const oneByOne = `
import socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=100)
while True:
  client, _ = server.accept()
  try:
    while data := client.recv(4096): client.sendall(data)
  except OSError: pass
  client.close()`
const byLine = `
import asyncio, sys
async def echo(reader, writer):
  while data := await reader.readline():
    writer.write(data)
    await writer.drain()
  writer.close()
async def main():
  server = await asyncio.start_server(echo, "127.0.0.1", int(sys.argv[1]))
  await server.serve_forever()
asyncio.run(main())`
const datagrams = `
import socket, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", int(sys.argv[1])))
while True:
  data, client = server.recvfrom(65535)
  server.sendto(data, client)`
const plainNode = `require('net').createServer(s => {
  s.on('error', () => {})
  s.pipe(s)
}).listen(+process.argv[1], '127.0.0.1')`

type Start = (port: number, other: number) => [command: string, ...args: string[]]

const folder = mkdtempSync(join(tmpdir(), 'yodel-'))
after(() => rmSync(folder, { recursive: true }))
/** The configuration of a program, as a file. */
function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}
const haproxy: Start = (port, other) => [
  'haproxy',
  '-db',
  '-f',
  file(
    'haproxy',
    `defaults
 mode tcp
 timeout connect 5s
 timeout client 1m
 timeout server 1m
listen front
 bind 127.0.0.1:${port}
 server s 127.0.0.1:${other}
`,
  ),
]
const stunnel: Start = (port, other) => [
  'stunnel4',
  file(
    'stunnel',
    `foreground = yes
pid =
syslog = no
[front]
accept = 127.0.0.1:${port}
connect = 127.0.0.1:${other}
cert = ${certificate[1]}
key = ${key[1]}
`,
  ),
]
const echoModule = '/usr/lib/nginx/modules/ngx_http_echo_module.so'
const nginx: Start = port => [
  'nginx',
  '-p',
  folder,
  '-c',
  file(
    'nginx',
    `load_module ${echoModule}; daemon off; master_process off;
pid ${folder}/pid; error_log ${folder}/error.log;
events { worker_connections 512; }
http { access_log off; client_body_temp_path ${folder}/body; server { listen 127.0.0.1:${port};
 location / { echo_read_request_body; echo_request_body; } } }
`,
  ),
]
const plain: Start = port => [process.execPath, '-e', plainNode, `${port}`]
const lostAtFin = 'half-close: data-lost'
/** What has to be found of each, and nothing else; a short backlog may show, too. */
const servers: [
  name: string,
  transport: 'tcp' | 'tls' | 'udp' | 'http',
  start: Start,
  found: string[],
  behind?: Start,
][] = [
  [
    'ncat with cat, which closes at FIN',
    'tcp',
    port => ['ncat', '-l', '127.0.0.1', `${port}`, '-k', '--exec', '/bin/cat'],
    [],
  ],
  [
    'socat with cat',
    'tcp',
    port => ['socat', `TCP-LISTEN:${port},bind=127.0.0.1,fork,backlog=100`, 'EXEC:cat'],
    [],
  ],
  [
    'socat with a pipe',
    'tcp',
    port => ['socat', `TCP-LISTEN:${port},bind=127.0.0.1,fork,backlog=100`, 'PIPE'],
    [],
  ],
  ['threads of Python', 'tcp', port => ['python3', '-c', threaded, `${port}`], []],
  [
    'Python, one client after the other',
    'tcp',
    port => ['python3', '-c', oneByOne, `${port}`],
    ['overload: queued'],
  ],
  [
    'Python that reads lines of 64 KiB at most',
    'tcp',
    port => ['python3', '-c', byLine, `${port}`],
    // Without FIN it does not echo 128 KiB in one line either, so half-close is not to blame.
    ['bytes: line-buffered', 'sizes: limit'],
  ],
  ['plain Node', 'tcp', plain, []],
  [
    'openssl s_server -rev, which reverses each line and has one client',
    'tls',
    port => ['openssl', 's_server', '-rev', '-accept', `${port}`, '-quiet', ...certificate, ...key],
    ['bytes: line-buffered', 'bytes: changed', 'overload: queued'],
  ],
  ['a loop of Python over udp', 'udp', port => ['python3', '-c', datagrams, `${port}`], []],
  [
    'ncat with room for 5',
    'tcp',
    port => ['ncat', '-l', '127.0.0.1', `${port}`, '-k', '-m', '5', '--exec', '/bin/cat'],
    ['overload: closed'],
  ],
  ['haproxy in front of plain Node', 'tcp', haproxy, [], plain],
  ['stunnel in front of plain Node', 'tls', stunnel, [], plain],
  ['nginx with its echo module', 'http', nginx, ['http: buffered']],
]

/** Tries until the program listens. */
async function checked(url: string, more: CheckOptions = {}): Promise<CheckResult> {
  const options = { idleMs: 500, maxConnections: 20, calling: {}, ...more }
  const insecure = url.startsWith('tls') ? { calling: { tls: { insecure: true } } } : {}
  for (let left = 50; ; left--) {
    try {
      return await check(url, { ...options, ...insecure }).finished
    } catch (error) {
      if (left === 0) throw error
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  }
}

for (const [name, transport, start, expected, behind] of servers) {
  const noModule = start === nginx && !existsSync(echoModule) && 'nginx has no echo module here'
  const skip = onlyFull || missing(start(0, 0)[0]) || noModule
  test(`what is said is true of ${name}`, { skip }, async () => {
    const [port, other] = [await freePort(), await freePort()]
    const [command, ...args] = start(port, other)
    const [beyond, ...more] = behind?.(other, 0) ?? ['true']
    await using _one = new Program(beyond, more, 'open', { forks: true })
    if (behind) await checked(`tcp://127.0.0.1:${other}`, { only: ['proxy'] })
    await using _other = new Program(command, args, 'open', { forks: true })
    const result = await checked(`${transport}://127.0.0.1:${port}`)
    const found = result.questions.flatMap(({ name, findings }) =>
      findings.map(finding => `${name}: ${finding.name}`),
    )
    // ncat closes at FIN, and writes without reading meanwhile: whether cat was faster is chance.
    const ofNcat = command === 'ncat' ? [lostAtFin, 'bytes: stuck'] : []
    // stunnel ends a connection at the first FIN: whether the echo was faster is chance, too.
    const ofStunnel = command === 'stunnel4' ? [lostAtFin] : []
    const byChance = ['overload: slow-connect', ...ofNcat, ...ofStunnel]
    const told = found.filter(each => !byChance.includes(each))
    assert.deepEqual(told, expected, JSON.stringify(result, null, 1))
    assert.ok(result.seconds < 30)
  })
}
