/**
 * nginx with its defaults between the client and an echo server: it closes after so many requests.
 */
import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { bench, connect, serve, type BenchOptions, type Server } from 'yodel'
import { freePort, isListening, until } from './client.ts'
import { onlyFull } from './full.ts'
import { missing, root } from './program.ts'

const folder = mkdtempSync(join(tmpdir(), 'yodel-'))
let echo: Server
let nginx: ChildProcess
const ports = { clear: 0, h2: 0, secret: 0 }

describe('behind nginx', { skip: missing('nginx') }, () => {
  before(async () => {
    echo = await serve('http://127.0.0.1:0')
    for (const name of ['clear', 'h2', 'secret'] as const) ports[name] = await freePort()
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map(name => `${name}_temp_path ${folder}/${name};`)
      .join('\n')
    const server = (listens: string) =>
      `server { listen 127.0.0.1:${listens}; location / { proxy_pass ${echo.url}; } }`
    writeFileSync(
      join(folder, 'nginx.conf'),
      `daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log;
events { worker_connections 64; }
http {
  access_log off; keepalive_requests 5;
  ${temporary}
  ssl_certificate ${root}test/peers/tls/server.pem;
  ssl_certificate_key ${root}test/peers/tls/server.key;
  ${server(`${ports.clear}`)}
  ${server(`${ports.h2} http2`)}
  ${server(`${ports.secret} ssl http2`)}
}
`,
    )
    nginx = spawn('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], { stdio: 'ignore' })
    for (const port of Object.values(ports)) await until(() => isListening(port))
  })
  after(async () => {
    const ended = once(nginx, 'exit')
    nginx.kill('SIGKILL')
    await ended
    await echo.close('now')
    rmSync(folder, { recursive: true })
  })

  const brief: BenchOptions = { connections: 2, count: 40, warmupMs: 0, drainMs: 2_000 }
  const insecure = { insecure: true }
  const ways: [string, () => string, BenchOptions][] = [
    ['http', () => `http://127.0.0.1:${ports.clear}`, {}],
    ['https', () => `https://127.0.0.1:${ports.secret}`, { calling: { tls: insecure } }],
    [
      'http, HTTP/2',
      () => `http://127.0.0.1:${ports.h2}`,
      { calling: { tls: { alpn: ['h2'] } }, depth: 8 },
    ],
    [
      'https, HTTP/2',
      () => `https://127.0.0.1:${ports.secret}`,
      { calling: { tls: { alpn: ['h2'], ...insecure } }, depth: 1 },
    ],
  ]
  const likeThose = (name: string) => name !== 'https, HTTP/2' && onlyFull
  for (const [name, url, options] of ways)
    test(`a load and a caller call again: ${name}`, { skip: likeThose(name) }, async () => {
      const { failedBecause, messages, http } = await bench(url(), { ...brief, ...options })
        .finished
      assert.deepEqual([failedBecause, messages.received], [[], 40])
      assert.ok(http!.reconnects >= 6, `${http!.reconnects}`)
      await using peer = await connect(url(), { calling: options.calling ?? {} })
      for (let n = 0; n < 7; n++)
        assert.equal(
          Buffer.from((await peer.echo(`message ${n}`)).reply).toString(),
          `message ${n}`,
        )
    })
})
