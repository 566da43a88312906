/** yodel flood --metrics: a probe that stays, and what it tells Prometheus. */
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { freePort, until } from './client.ts'
import { onlyFull } from './full.ts'
import { listen } from './peers/server.ts'
import { yodel } from './program.ts'
import { createTypist } from './typist.ts'

const typed = createTypist()

const windows = process.platform === 'win32' && 'Windows has no SIGTERM'

/** The value of a sample, whatever its labels are. */
const valueOf = (text: string, name: string): number =>
  Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1])

test(
  'it counts, times, and opens a broken connection again',
  { skip: onlyFull || windows },
  async () => {
    let clients = 0
    await using server = await listen(socket => {
      // The first connection breaks at its third message.
      let messages = 0
      const breaks = ++clients === 1
      socket.on('data', data => {
        if (breaks && ++messages === 3) socket.destroy()
        else socket.write(data)
      })
    })
    // However busy the machine is, nothing else breaks it.
    const args = ['--rate', '50/s', '--timeout', '10m', '--metrics', '127.0.0.1:0']
    await using probe = yodel(['flood', server.url, ...args])
    const [, url] = await probe.says(/metrics on (\S+)\/metrics/)
    const metrics = async () => {
      const answer = await fetch(`${url}/metrics`)
      assert.match(answer.headers.get('content-type')!, /^text\/plain; version=0\.0\.4/)
      return answer.text()
    }
    let text = ''
    await until(async () => {
      text = await metrics()
      const received = valueOf(text, 'yodel_load_messages_received_total')
      return received > 5 && valueOf(text, 'yodel_load_outages_ended_total') === 1
    })
    assert.equal(clients, 2)
    assert.equal(valueOf(text, 'yodel_load_connections_open'), 1)
    assert.match(
      text,
      new RegExp(`^yodel_load_messages_sent_total\\{target="${server.url}"\\} `, 'm'),
    )
    const count = valueOf(text, 'yodel_load_response_seconds_count')
    assert.ok(count > 5)
    // Each bucket contains those before it, and the last one all.
    const buckets = [...text.matchAll(/^yodel_load_response_seconds_bucket\{.*\} (\d+)$/gm)]
    const counts = buckets.map(([, value]) => Number(value))
    assert.equal(counts.at(-1), count)
    assert.deepEqual(
      counts,
      counts.toSorted((a, b) => a - b),
    )
    assert.ok(valueOf(text, 'yodel_load_response_seconds_sum') > 0)
    assert.match(text, /^yodel_load_failures_total\{.*class="wrongBytes"\} 0$/m)
    assert.equal((await fetch(`${url}/readyz`)).status, 200)
    assert.equal(await (await fetch(`${url}/healthz`)).text(), 'ok\n')
    assert.equal((await fetch(`${url}/api/server`)).status, 404)
    probe.kill()
    const { code, stdout } = await probe.finished
    assert.match(stdout.toString(), /^(PASS|FAIL): [^]*yodel flood tcp:/)
    assert.ok(code === 130 || code === 1, `${code}`)
  },
)

test('an address in use, and what it is not for, is said before anything is sent', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => taken.once('listening', resolve))
  const { port } = taken.address() as { port: number }
  let clients = 0
  await using server = await listen(() => void clients++)
  const used = await typed(['flood', server.url, '--metrics', `127.0.0.1:${port}`])
  taken.close()
  assert.equal(used.code, 3)
  assert.match(used.stderr, /Cannot listen on tcp:\S+ for --metrics: the address is already in use/)
  const direction = ['flood', server.url, '--direction', 'up', '--metrics', ':0']
  const vain = await typed(direction)
  assert.deepEqual([vain.code, clients], [2, 0])
  assert.match(vain.stderr, /--metrics is not for --direction/)
  const alone = await typed(['flood', `:${await freePort()}`, '--metrics', '127.0.0.1:0'])
  assert.equal(alone.code, 3)
})
