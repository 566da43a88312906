/** What is late without a fault of the path is not called one, and Node has nothing to warn of. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { check, serve, type CheckResult } from 'yodel'
import { asked, echoBody, open, overHttp } from './check-peers.ts'
import { onlyFull } from './full.ts'
import { badPath, type Join } from './peers/bad-path.ts'
import { peer } from './peers/datagrams.ts'
import { portOf } from './program.ts'

after(async () => {
  for (const each of open.splice(0)) await each[Symbol.asyncDispose]()
})

const summary = ({ questions }: CheckResult) =>
  questions
    .filter(({ findings }) => findings.length > 0)
    .map(({ name, findings }) => `${name}: ${findings.map(({ name }) => name).join(', ')}`)

/** The first bytes of each connection wait longer than a first packet that is sent again. */
const slowAtFirst: Join = (front, back) => {
  back.pipe(front)
  front.once('data', (chunk: Buffer) => {
    front.pause()
    setTimeout(() => {
      back.write(chunk)
      front.pipe(back)
    }, 1_200)
  })
}

test('a server that is slow in TLS is not slow to connect', { skip: onlyFull }, async () => {
  await using server = await serve('tls://127.0.0.1:0', { engine: 'node' })
  await using path = await badPath(portOf(server.url), slowAtFirst)
  const calling = { tls: { insecure: true } }
  const options = { maxConnections: 2, only: ['overload' as const], calling }
  const result = await check(path.url.replace('tcp', 'tls'), options).finished
  assert.deepEqual(summary(result), [], JSON.stringify(result, null, 1))
})

test(
  'what makes every exchange late alike is not taken for steps',
  { skip: onlyFull },
  async () => {
    let requests = 0
    const result = await overHttp('latency', (request, response) => {
      // Later than the first look.
      setTimeout(() => echoBody(request, response), ++requests > 6 ? 40 : 0)
    })
    assert.deepEqual(summary(result), [], JSON.stringify(result, null, 1))
  },
)

test('the kernel is asked about a socket of datagrams without a warning', async () => {
  const warnings: string[] = []
  const onWarning = ({ message }: Error) => void warnings.push(message)
  process.on('warning', onWarning)
  await using server = await peer({}, (data, answer) => answer(data.subarray(0, 600)))
  const result = await asked(`udp://127.0.0.1:${server.port}`, 'sizes')
  // A warning is told on a later turn.
  await new Promise(resolve => setImmediate(resolve))
  process.off('warning', onWarning)
  assert.deepEqual(summary(result), ['sizes: cut'])
  assert.deepEqual(warnings, [])
})
