/** An agent does what its own command line allows, and takes messages only under its token. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { agent, bench, listAgents, parseAddress, serve, UserError } from 'yodel'
import { fleet, leave } from './fleet.ts'
import { full, onlyFull } from './full.ts'
import { eavesdropper, startBroker, type Heard } from './peers/mqtt.ts'
import { listen } from './peers/server.ts'
import { createTypist } from './typist.ts'

const token = 'a secret of more than 16 characters'
const typed = createTypist()
const load = { connections: 2, count: 4, engine: 'node', drainMs: 60_000 } as const

/** An agent at a broker where everything is heard. */
async function withAgent(options: Parameters<typeof agent>[1] = {}) {
  const broker = await startBroker()
  const ear = await eavesdropper(broker.url, token)
  const events: string[] = []
  const one = agent(broker.url, {
    name: 'one',
    token,
    onEvent: line => events.push(line),
    ...options,
  })
  await one.ready
  const hello = await ear.hears(({ topic }) => topic.startsWith('yodel/1/agents/'))
  const id = hello.topic.split('/').at(-1)!
  const assign = (run: string, port: number, more: object = {}) => ({
    kind: 'assignment',
    run,
    startId: hello.words.startId,
    coordinator: 'c',
    number: 1,
    of: 1,
    address: parseAddress(`tcp://127.0.0.1:${port}`),
    options: load,
    // A busy machine takes its time, and an agent that hears nothing would leave without a word.
    timeoutMs: 60_000,
    embedded: false,
    ...more,
  })
  return {
    broker,
    ear,
    events,
    one,
    id,
    to: `yodel/1/to/${id}`,
    startId: hello.words.startId,
    assign,
    answers: (run: string, ...kinds: string[]): Promise<Heard> =>
      ear.hears(
        ({ topic, words }) =>
          topic.includes('/from/') && words.run === run && kinds.includes(words.kind!),
      ),
    [Symbol.asyncDispose]: async () => {
      one.stop()
      await one.finished
      await ear[Symbol.asyncDispose]()
      await broker.kill()
    },
  }
}

const portOf = (url: string) => Number(url.split(':').at(-1))

test(
  'what is recorded and said again is refused, by an agent that starts anew, too',
  { skip: onlyFull },
  async () => {
    let clients = 0
    await using server = await listen(socket => {
      clients++
      socket.pipe(socket)
    })
    await using there = await withAgent()
    const { ear, to, broker } = there
    const run = bench(server.url, { ...load, warmupMs: 0, agents: 1, broker: broker.url, token })
    assert.equal((await run.finished).messages.received, 4)
    await ear.hears(({ words }) => words.kind === 'presence' && words.run === null && clients > 0)
    const before = clients
    const recorded = ear.heard.filter(({ topic }) => topic === to)
    assert.ok(recorded.some(({ words }) => words.kind === 'start'))
    const { words } = recorded.find(each => each.words.kind === 'assignment')!
    for (const { topic, payload } of recorded) await ear.publish(topic, payload)
    const refused = await there.answers(words.run!, 'failed')
    assert.match(JSON.stringify(refused.words), /seen before/)
    // The same for one of another start, which has forgotten the run.
    const other = agent(broker.url, { name: 'other', token })
    await other.ready
    const hello = await ear.hears(each => each.words['name'] === 'other')
    const toOther = `yodel/1/to/${hello.topic.split('/').at(-1)}`
    for (const each of recorded) await ear.say(toOther, each.words)
    // An assignment of its own is answered behind all that.
    const own = { ...words, run: 'own', startId: hello.words.startId, number: 2, of: 1 }
    await ear.say(toOther, own)
    await there.answers('own', 'failed')
    other.stop()
    await other.finished
    assert.equal(clients, before)
  },
)

test('what has no seal, or that of another token, is not heard', async () => {
  await using server = await listen()
  await using there = await withAgent()
  await using stranger = await eavesdropper(there.broker.url)
  await using other = await eavesdropper(there.broker.url, 'another secret of 16 characters')
  const assignment = there.assign('forged', portOf(server.url))
  await stranger.say(there.to, assignment)
  await other.say(there.to, assignment)
  await stranger.publish(there.to, Buffer.from('no message'))
  await there.ear.say(there.to, there.assign('wrong', portOf(server.url), { number: 2 }))
  await there.answers('wrong', 'failed')
  assert.ok(
    !there.ear.heard.some(({ topic, words }) => topic.includes('/from/') && words.run === 'forged'),
  )
  assert.ok(there.events.some(line => line.includes('not sealed with the token')))
  // And a hello with another token is no agent.
  const error = await bench(server.url, {
    ...load,
    agents: 1,
    broker: there.broker.url,
    token: 'another secret of 16 characters',
    agentTimeoutMs: 200,
  }).finished.catch((error: unknown) => error)
  assert.ok(error instanceof UserError)
  assert.match(error.message, /^0 of 1 agents came within 200ms\. 1 more have another token\.$/)
})

/** Has an agent connect to a server, and asks for its offset. */
async function untilSynced(
  there: Awaited<ReturnType<typeof withAgent>>,
  run: string,
  port: number,
) {
  const { ear, to, startId } = there
  await ear.say(to, there.assign(run, port))
  await there.answers(run, 'ready')
  await ear.say(to, { kind: 'sync', run, startId, trips: 50, pauseMs: 0 })
  let answered = 0
  for (;;) {
    const pings = ear.heard.filter(({ words }) => words.kind === 'ping' && words.run === run)
    if (pings.length > answered) {
      const { words } = pings[answered++]!
      await ear.say(to, { kind: 'pong', run, startId, sentMs: words['sentMs'], atMs: 0 })
      continue
    }
    if (ear.heard.some(({ words }) => words.kind === 'synced' && words.run === run)) return
    await ear.hears(
      ({ words }) =>
        words.run === run &&
        (words.kind === 'synced' ||
          (words.kind === 'ping' && !pings.some(ping => ping.words['sentMs'] === words['sentMs']))),
    )
  }
}

test('a start in the past, or of another load, is refused', async () => {
  let bytes = 0
  await using server = await listen(socket => {
    socket.on('data', data => (bytes += data.length))
    socket.on('end', () => socket.end())
  })
  const port = portOf(server.url)
  await using there = await withAgent()
  const { ear, to, startId } = there
  const said = async (run: string, start: object) => {
    await untilSynced(there, run, port)
    const { address, options } = there.assign(run, port)
    await ear.say(to, { kind: 'start', run, startId, address, options, ...start })
    return JSON.stringify((await there.answers(run, 'failed')).words)
  }
  // Its coordinator's clock was at 0 when it was asked.
  assert.match(await said('past', { atMs: -1_000 }), /The start came .* too late/)
  const elsewhere = parseAddress('tcp://127.0.0.1:1')
  assert.match(await said('other', { atMs: 5_000, address: elsewhere }), /another load/)
  if (full) assert.match(await said('far', { atMs: 25 * 3600e3 }), /more than a day ahead/)
  assert.equal(bytes, 0)
})

test('an agent refuses what it is not allowed, and none begins', async () => {
  const said = async (address: string, agentOptions: object, more: object = {}) => {
    const options = { ...load, ...more, agents: 1, token }
    const there = await fleet(address, options, { token, ...agentOptions })
    const error = await there.run.finished.catch((error: unknown) => error)
    await leave(there)
    assert.ok(error instanceof UserError, String(error))
    return `${error.kind}: ${error.message}`
  }
  await using server = await listen()
  const own = await said('tcp://192.0.2.1:7', {})
  assert.match(own, /^usage: Agent a1: It does not send to tcp:\/\/192\.0\.2\.1:7: without --allow/)
  const allowed = await said(server.url, { allow: ['tcp://127.0.0.1:1'] })
  assert.match(allowed, /it is allowed tcp:\/\/127\.0\.0\.1:1\./)
  const limited = await said(server.url, { maxRate: 10 }, { ratePerSecond: 20 })
  assert.match(limited, /a share with a rate of 20\/s, and it sends 10\/s at most/)
  assert.match(await said('tcp://127.0.0.1:1', {}), /^network: Agent a1: Cannot connect to/)
})

test('the broker of a coordinator lets in an agent that has the token, over TLS', async () => {
  await using server = await serve('tcp://127.0.0.1:0', { engine: 'node' })
  const there = await fleet(
    server.url,
    { ...load, agents: 1, brokerListen: 'mqtts://127.0.0.1:0', token },
    {},
    0,
  )
  const command = there.events.find(line => line.includes('yodel agent'))!
  const pin = /--pin ([0-9a-f]{64})/.exec(command)![1]!
  const stranger = there.join({ token: 'another secret of 16 characters', tls: { pin } })
  const wrongPin = there.join({ token, tls: { pin: 'a'.repeat(64) } })
  there.join({ token, tls: { pin } })
  const { run } = await there.run.finished
  assert.equal(run.parts![0]!.agent!.name, 'a3')
  await leave(there)
  await Promise.all([stranger.finished, wrongPin.finished])
  assert.ok(there.events.some(line => line.includes('refuses the name or the password')))
  assert.ok(there.events.some(line => line.includes('another certificate than the pin')))
})

test('secrets are not typed, and other machines need a token', async () => {
  const said = async (...args: string[]) => {
    const { code, stderr } = await typed(args)
    assert.equal(code, 2, stderr)
    return stderr
  }
  assert.match(
    await said('agent', 'mqtt://me:secret@127.0.0.1'),
    /seen by every user .*YODEL_BROKER/,
  )
  assert.match(await said('agent', 'mqtts://broker.example'), /not on this machine.*--token-file/)
  assert.match(await said('agent', '--allow', 'tcp://10.0.0.1:7'), /Without a token/)
  assert.match(await said('agent', '--allow', 'nonsense'), /is not a pattern of addresses/)
  const some = ['bench', ':1', '--agents', '2', '--connections', '2']
  assert.match(await said(...some, '--broker-listen', 'mqtt://0.0.0.0'), /not encrypted.*mqtts:/)
  assert.match(await said(...some, '--slice', '1/2'), /Leave --slice or --agents out/)
  assert.match(await said('bench', ':1', '--agents', '2'), /The load is too small for 2 agents/)
  assert.match(await said('bench', ':1', '--broker', 'mqtt://127.0.0.1'), /--broker is for agents/)
  assert.match(await said(...some, '--against', 'tcp://127.0.0.1:2'), /Agents send a single run/)
})

test('agents are listed, with what they are', async () => {
  await using there = await withAgent({ allow: ['tcp://127.0.0.1:*'], maxRate: 100 })
  const { agents, strange } = await listAgents(there.broker.url, { token })
  assert.deepEqual(
    agents.map(({ name, run, allow, maxRate, usable }) => ({ name, run, allow, maxRate, usable })),
    [{ name: 'one', run: null, allow: ['tcp://127.0.0.1:*'], maxRate: 100, usable: true }],
  )
  assert.equal(strange, 0)
  const without = await typed(['agents', '--broker', there.broker.url])
  assert.match(without.stdout, /no agent is there\n1 agent with another token/)
})
