/** Faults where messages have bounds: what becomes of each message, and of its pieces. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { short } from '../full.suite.ts'
import { parseAddress } from '../vocabulary/address.ts'
import { UserError } from '../vocabulary/errors.ts'
import { transportNames, transports, type Carries } from '../vocabulary/transport.ts'
import { ArrivedChunks } from './arrived-chunks.ts'
import { Chain, type FaultEvent } from './chain.ts'
import { Reset } from './fault.ts'
import { parseFault } from './parse.ts'
import { checkFaults, checkPlace } from './applicable.ts'

/** Sends messages through a chain; each that comes out as its pieces, `/` between them. */
async function run(faults: string, texts: string[], carries: Carries = 'messages', seed = 1) {
  const arrivals = new ArrivedChunks({ pause() {}, resume() {} })
  const events: FaultEvent[] = []
  const chain = new Chain(faults.split(' ').map(parseFault), {
    seed,
    connection: 0,
    openedAt: performance.now(),
    carries,
    onHit: event => events.push(event),
    onReset: () => {},
  })
  const numberOf = new Map<object | undefined, number>()
  for (const [n, text] of texts.entries()) {
    const message = { binary: n % 2 === 1 }
    numberOf.set(message, n)
    arrivals.push(Buffer.from(text), message)
  }
  arrivals.end()
  const messages: string[] = []
  const numbers: number[] = []
  let pieces: string[] = []
  try {
    for await (const { data, message, more } of chain.apply(arrivals.read())) {
      pieces.push(Buffer.from(data).toString())
      // All its chunks have the object with which it came.
      const number = numberOf.get(message)
      assert.notEqual(number, undefined)
      if (more) continue
      numbers.push(number!)
      messages.push(pieces.splice(0).join('/'))
    }
  } catch (error) {
    if (!(error instanceof Reset)) throw error
    pieces.push('RST')
  }
  return { messages, numbers, unfinished: pieces.join('/'), events }
}

const numbered = (count: number) => Array.from({ length: count }, (_, n) => `message ${n}`)

test('pieces of a message know whether it goes on, and whose they are', async () => {
  const { messages } = await run('slice=4', ['abcdefghij', '', 'k', 'lmno'])
  assert.deepEqual(messages, ['abcd/efgh/ij', '', 'k', 'lmno'])
  const throttled = await run('throttle=200/s', ['abc', '', 'd'])
  assert.deepEqual(throttled.messages, ['ab/c', '', 'd'])
})

test('an end in the middle of a message leaves it unfinished', async () => {
  const cut = await run('truncate=7', ['hello', 'world'])
  assert.deepEqual([cut.messages, cut.unfinished], [['hello'], 'wo'])
  const reset = await run('reset=7', ['hello', 'world'])
  assert.deepEqual([reset.messages, reset.unfinished], [['hello'], 'wo/RST'])
})

test('a datagram is never cut', async () => {
  const { messages } = await run('throttle=1k/s', ['x'.repeat(50), ''], 'datagrams')
  assert.deepEqual(messages, ['x'.repeat(50), ''])
})

test('drop, duplicate and reorder do it to whole messages, in pieces or not', async () => {
  const texts = numbered(10)
  const dropped = await run('slice=3 drop=100%', texts)
  assert.deepEqual([dropped.messages, dropped.events.length], [[], 20])
  const twice = await run('slice=3 duplicate=100% corrupt=1e-9', ['abcd', 'ef'])
  assert.deepEqual(twice.messages, ['abc/d', 'abc/d', 'ef', 'ef'])
  const swapped = await run('reorder=100%', texts.slice(0, 5), 'datagrams')
  assert.deepEqual(swapped.numbers, [1, 0, 3, 2, 4])
})

test('what happens to one of two copies does not happen to the other', async () => {
  const { messages } = await run('duplicate=100% corrupt=100%', ['aaaaaaaa'])
  const [one, other] = messages
  assert.notEqual(one, other)
})

test('each message is hit with that probability, by the seed, and is written down', async () => {
  const count = short(1000, 200)
  const texts = numbered(count)
  for (const kind of ['drop', 'duplicate', 'reorder']) {
    const { events, numbers } = await run(`${kind}=10%`, texts)
    // Four standard deviations; with this seed it holds always or never.
    const bound = 4 * Math.sqrt(count * 0.1 * 0.9)
    assert.ok(Math.abs(events.length - count / 10) < bound, `${kind}: ${events.length}`)
    const again = await run(`${kind}=10%`, texts)
    assert.deepEqual(again.events, events)
    assert.notDeepEqual((await run(`${kind}=10%`, texts, 'messages', 2)).events, events)
    for (const { message, bytes } of events) {
      assert.equal(bytes, texts[message!]!.length)
      const times = numbers.filter(number => number === message).length
      assert.equal(times, { drop: 0, duplicate: 2, reorder: 1 }[kind])
      if (kind === 'reorder' && message! < count - 1)
        assert.equal(numbers.indexOf(message!), numbers.indexOf(message! + 1) + 1)
    }
  }
})

test('a message that is not overtaken goes on after a while', async () => {
  const arrivals = new ArrivedChunks({ pause() {}, resume() {} })
  const chain = new Chain([parseFault('reorder=100%')], {
    seed: 1,
    connection: 0,
    openedAt: 0,
    carries: 'datagrams',
    onHit: () => {},
    onReset: () => {},
  })
  arrivals.push(Buffer.from('alone'), {})
  for await (const { data } of chain.apply(arrivals.read())) {
    assert.equal(Buffer.from(data).toString(), 'alone')
    break
  }
})

test('a fault where it makes no sense is refused with a sentence', () => {
  const refusal = (fault: string, url: string) => {
    try {
      checkFaults([parseFault(fault)], parseAddress(url))
      return 'none'
    } catch (error) {
      return (error as UserError).message
    }
  }
  const names = transportNames.filter(name => transports[name].faults !== 'bytes')
  const list = `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
  assert.equal(
    refusal('drop=10%', 'tcp://127.0.0.1:0'),
    `drop is for messages: ${list}; tcp has a stream of bytes.`,
  )
  assert.match(refusal('slice=3', 'udp://127.0.0.1:0'), /^slice is for connections: tcp, .*; udp/)
  assert.match(refusal('duplicate=1%', 'udp://0.0.0.0:0'), /loopback only/)
  for (const fault of ['drop=1%', 'duplicate=1%', 'reorder=1%', 'hang', 'delay=1s', 'corrupt=1%'])
    for (const url of ['udp://127.0.0.1:0', 'ws://127.0.0.1:80/'])
      assert.equal(refusal(fault, url), 'none', `${fault} ${url}`)
})

test('where a fault works is read from its definition', () => {
  const place = (carries: Carries[], url: string, amplifies = false) =>
    checkPlace({ kind: 'flip', carries, amplifies }, parseAddress(url))
  const refused = (carries: Carries[], message: RegExp) =>
    assert.throws(() => place(carries, 'tcp://127.0.0.1:0'), { message })
  refused(['datagrams'], /^flip is for datagrams: udp; tcp has a stream of bytes\.$/)
  refused(['messages'], /^flip is for messages: ws and wss; tcp/)
  refused(['messages', 'datagrams'], /^flip is for messages: udp, ws and wss; tcp/)
  // More replies than requests, to a source that nobody has verified.
  const message = 'flip on udp is for loopback only, and udp://192.0.2.1:7 is not.'
  assert.throws(() => place(['datagrams'], 'udp://192.0.2.1:7', true), { message })
  place(['datagrams'], 'udp://192.0.2.1:7')
  place(['datagrams'], 'udp://127.0.0.1:7', true)
  place(['messages'], 'ws://192.0.2.1:80/', true)
})
