/** More connections than there may be descriptors: said before anything is sent, else counted. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { serve, type RunResult, type Server } from 'yodel'
import { onlyFull } from './full.ts'
import { listen } from './peers/server.ts'
import { createTypist } from './typist.ts'

const skip = process.platform !== 'linux' && 'only Linux says how many descriptors there may be'
const limit = 150
const typed = createTypist(limit)

let servers: Server[]
before(async () => {
  servers = await Promise.all(
    ['tcp', 'udp', 'http'].map(transport =>
      serve(`${transport}://127.0.0.1:0`, { engine: 'node' }),
    ),
  )
})
after(() => Promise.all(servers.map(server => server.close('now'))))

const brief = ['--count', '10']
const many = ['--connections', '320']
/** Beside `many`, so that it is too much for two threads with a table each. */
const rows: [transport: number, command: string, ...options: string[]][] = [
  [0, 'bench', ...many],
  [0, 'bench', ...many, '--threads', '2'],
  [0, 'bench', ...many, '--engine', 'node'],
  [0, 'bench', '--connections', '1', '--idle', '320'],
  [0, 'bench', '--connections', '100', '--idle', '80', '--engine', 'node'],
  [0, 'flood', ...many],
  [1, 'bench', ...many],
  [1, 'flood', ...many],
  [2, 'bench', ...many],
]

for (const [n, command, ...options] of rows) {
  const transport = ['tcp', 'udp', 'http'][n]!
  test(
    `refused before anything is sent: ${transport} ${command} ${options.join(' ')}`,
    { skip },
    async () => {
      const server = servers[n]!
      const { opened, bytesIn } = server.counts()
      const { code, stdout, stderr } = await typed([command, server.url, ...options, ...brief])
      assert.match(
        stderr,
        /^yodel: Cannot connect to \S+: there are descriptors for \d+ connections, /,
      )
      assert.match(stderr, /, and \d+ are wanted\. Raise `ulimit -n`, which is 150\.\n$/)
      assert.deepEqual([code, stdout], [3, ''])
      const now = server.counts()
      assert.deepEqual([now.opened, now.bytesIn], [opened, bytesIn])
    },
  )
}

test('compare-engines is refused before a server is started', { skip }, async () => {
  const { code, stdout, stderr } = await typed(['compare-engines', ...many])
  assert.match(
    stderr,
    /^yodel: Cannot connect to the servers: .*Raise `ulimit -n`, which is 150\.\n$/,
  )
  assert.deepEqual([code, stdout], [3, ''])
})

test('what a load can have it gets', { skip }, async () => {
  // It takes its time: a load that never waits is busy all the time, which is exit 4.
  await using slow = await listen(socket => {
    socket.on('data', data => setTimeout(() => socket.write(data), 50))
    socket.on('end', () => socket.end())
  })
  const args = [...brief, '--connections', '60', '--idle', '40', '--engine', 'node', '--json']
  const { code, stdout } = await typed(['bench', slow.url, ...args, '--warmup', '0'])
  const { connectUs, errors, valid } = JSON.parse(stdout) as RunResult
  assert.deepEqual([connectUs.count, errors.noDescriptors], [100, 0], stdout)
  // A machine that is busy may hold the generator up, and then it says so.
  assert.equal(code, valid ? 0 : 4, stdout)
})

const none = 'short connections that find none left are counted as such'
test(none, { skip: skip || onlyFull }, async () => {
  // No client is answered, so each keeps its descriptor until it is given up.
  await using silent = await listen()
  const churn = ['--connections', '0', '--churn', '500', '--duration', '1s', '--warmup', '0']
  // On the ring a connection needs no descriptor.
  const args = ['bench', silent.url, '--engine', 'node', ...churn, '--drain', '0', '--json']
  const { code, stdout } = await typed(args)
  const { errors, failedBecause } = JSON.parse(stdout) as RunResult
  assert.ok(errors.noDescriptors > 0, JSON.stringify(errors))
  assert.equal(errors.other, 0)
  assert.match(
    failedBecause[0]!,
    /failed: noDescriptors\. The generator had none left: raise `ulimit/,
  )
  assert.equal(code, 1)
})
