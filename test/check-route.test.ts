/** yodel check from an address of this machine, through an HTTP proxy, with a user's headers. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { check, serve, type CheckOptions, type CheckResult, type Server } from 'yodel'
import { asked, echoBody, open, overHttp } from './check-peers.ts'
import { peer } from './peers/datagrams.ts'
import { proxy, relayTo } from './peers/route.ts'
import { portOf } from './program.ts'

/** Of each protocol one, with questions that dial in a way of their own. */
const questions = { tcp: ['bytes', 'sizes'], http: ['http'], wss: ['tls', 'ws'] } as const
type Name = keyof typeof questions
const servers = new Map<Name, Server>()
before(async () => {
  for (const name of Object.keys(questions) as Name[])
    servers.set(name, await serve(`${name}://127.0.0.1:0`, { engine: 'node' }))
})
after(async () => {
  await Promise.all([...servers.values()].map(server => server.close('now')))
  for (const each of open.splice(0)) await each[Symbol.asyncDispose]()
})

const told = (result: CheckResult) => JSON.stringify(result, null, 1)
const found = ({ questions }: CheckResult) => questions.flatMap(({ findings }) => findings)
const noLoopback =
  process.platform === 'linux' ? false : 'only Linux has all of 127.0.0.0/8 without being asked'

async function checked(name: Name, port: number, calling: NonNullable<CheckOptions['calling']>) {
  const tls = { tls: { insecure: true } }
  const options = { only: [...questions[name]], maxConnections: 4 }
  const all = { ...calling, ...(name === 'wss' && tls) }
  return await check(`${name}://127.0.0.1:${port}`, { ...options, calling: all }).finished
}

for (const name of Object.keys(questions) as Name[]) {
  test(`${name}: each connection comes from --source`, { skip: noLoopback }, async () => {
    await using relay = await relayTo(portOf(servers.get(name)!.url))
    const result = await checked(name, relay.port, { source: ['127.0.0.2'] })
    assert.deepEqual(found(result), [], told(result))
    assert.deepEqual([...new Set(relay.from)], ['127.0.0.2'])
  })

  test(`${name}: each connection goes through --proxy`, async () => {
    await using way = await proxy()
    const port = portOf(servers.get(name)!.url)
    const result = await checked(name, port, { proxy: way.url })
    assert.deepEqual(found(result), [], told(result))
    assert.deepEqual([...new Set(way.asked)], [`127.0.0.1:${port}`])
    assert.ok(way.asked.length >= result.used.connections, told(result))
  })
}

test('udp: each socket has that source', { skip: noLoopback }, async () => {
  const from = new Set<string>()
  const server = await peer({}, (data, answer) => answer(data))
  open.push(server)
  server.socket.on('message', (_, { address }) => from.add(address))
  const result = await asked(`udp://127.0.0.1:${server.port}`, 'sizes', {
    calling: { source: ['127.0.0.2'] },
  })
  assert.deepEqual(found(result), [], told(result))
  assert.deepEqual([...from], ['127.0.0.2'])
})

test('an address that this machine has not is told in a line', async () => {
  const { url } = servers.get('tcp')!
  const run = check(url, { calling: { source: ['192.0.2.1'] } })
  await assert.rejects(run.finished, /Cannot connect to tcp:.*EADDRNOTAVAIL|no such address/)
})

test('questions that make no sense through a proxy say so', async () => {
  await using way = await proxy()
  const url = `tcp://localhost:${portOf(servers.get('tcp')!.url)}`
  const only = ['families', 'proxy'] as const
  const { questions } = await check(url, { only: [...only], calling: { proxy: way.url } }).finished
  for (const { outcome, said } of questions) {
    assert.equal(outcome, 'not asked')
    assert.match(said, /proxy of --proxy/)
  }
})

test('headers of the user are on each request, and no finding', async () => {
  const result = await overHttp(
    'http',
    (request, response) => {
      if (request.headers['x-key'] === 'open') echoBody(request, response)
      else response.writeHead(401).end()
    },
    {},
    {},
    { calling: { headers: ['X-Key: open'] } },
  )
  assert.deepEqual(found(result), [], told(result))
})
