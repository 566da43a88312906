/** How a session over datagrams ends: what the server cannot know, or stops, does not pass. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { measureDirection, serve, type DirectionOptions, type Server } from 'yodel'
import type * as Wire from '../src/wire/udp/session.ts'
import { root } from './program.ts'
import { mistakesIn } from './schemas.ts'

const wire = (await import(`${root}dist/wire/udp/session.js`)) as typeof Wire
const { datagramKinds, writeOther } = wire
const { alive, end, payload, report } = datagramKinds
const paced = { sizeBytes: 200, ratePerSecond: 500, warmupMs: 0, durationMs: 400 } as const

let paired: Server
let plain: Server
before(async () => {
  paired = await serve('udp://127.0.0.1:0', { directions: true })
  plain = await serve('udp://127.0.0.1:0')
})
after(() => Promise.all([paired.close('now'), plain.close('now')]))
const portOf = ({ address }: Server) => (address as { port: number }).port

interface Relay {
  /** To which port, if to any. */
  up?: (data: Buffer) => number | undefined
  /** What comes instead of it. */
  down?: (data: Buffer) => Buffer
}

async function measured(options: DirectionOptions, { up, down }: Relay) {
  const near = createSocket('udp4')
  const far = createSocket('udp4')
  let client = 0
  near.on('message', (data, from) => {
    client = from.port
    const to = up ? up(data) : portOf(paired)
    if (to !== undefined) far.send(data, to, '127.0.0.1')
  })
  far.on('message', data => near.send(down ? down(data) : data, client, '127.0.0.1'))
  near.bind(0, '127.0.0.1')
  await once(near, 'listening')
  const result = await measureDirection(`udp://127.0.0.1:${near.address().port}`, options).finished
  near.close()
  far.close()
  assert.deepEqual(mistakesIn('direction', result), [])
  assert.equal(result.verdict, 'fail')
  return result
}

for (const direction of ['up', 'down', 'both'] as const)
  test(`${direction}: a server that knows no session in the middle is no pass`, async () => {
    let signs = 0
    const up = (data: Buffer) => {
      if (data[0] === alive) signs++
      return portOf(signs < 2 ? paired : plain)
    }
    const { failedBecause, reasons } = await measured({ ...paced, direction }, { up })
    assert.equal(failedBecause.at(-1), '1 flow failed: protocol.')
    assert.deepEqual(reasons, ['the server no longer knows the session'])
  })

test('its echo of the end is no answer', async () => {
  const up = (data: Buffer) => portOf(data[0] === end ? plain : paired)
  const { failedBecause, reasons } = await measured({ ...paced, direction: 'down' }, { up })
  assert.deepEqual(failedBecause, ['1 flow failed: protocol.'])
  assert.deepEqual(reasons, ['the server no longer knows the session'])
})

test('what the server did not say is not known', async () => {
  const up = (data: Buffer) => (data[0] === end ? undefined : portOf(paired))
  const expect = ['down.lost=0', 'down.loss<1%', 'down.late<1h']
  const options = { ...paced, direction: 'down', drainMs: 50, expect } as const
  const { down, expectations } = await measured(options, { up })
  const { sent, received, lost, lateUs } = down!.datagrams!
  assert.ok(received > 0)
  assert.deepEqual([down!.sentBytes, sent, lost, lateUs], [null, null, null, null])
  assert.deepEqual(
    expectations.map(({ measuredText, held }) => [measuredText, held]),
    expect.map(() => ['not known', false]),
  )
})

test('a server that stopped sending, since the client was not heard, is no pass', async () => {
  let signs = 0
  const up = (data: Buffer) => (data[0] === alive && signs++ > 0 ? undefined : portOf(paired))
  const options = { ...paced, direction: 'down', durationMs: 1_700 } as const
  const { failedBecause, reasons, down } = await measured(options, { up })
  assert.ok(down!.datagrams!.received < 800, `${down!.datagrams!.received}`)
  assert.deepEqual(failedBecause, ['1 flow failed: timedOut.'])
  assert.match(reasons.join(), /^the server stopped sending, since it had heard nothing/)
})

test('a server that heard nothing at first does begin, and shows that it sent less', async () => {
  let signs = 0
  const up = (data: Buffer) => (data[0] === alive && signs++ < 7 ? undefined : portOf(paired))
  const options = { ...paced, direction: 'down', durationMs: 2_000 } as const
  const { reasons, down } = await measured(options, { up })
  assert.ok(down!.receivedBytes > 0)
  assert.match(reasons.join(), /^the server sent only \d+ datagrams, and more than \d+ were due$/)
})

const said = (kind: typeof report | typeof end, body: object) => (data: Buffer) =>
  data[0] === kind ? writeOther(kind, data.readUInt32BE(4), body) : data
for (const [direction, down, reason] of [
  ['up', said(report, { bytes: 1e9, atMs: 1, wrongBytes: 0 }), /received 1000000000 bytes, but/],
  ['down', said(end, { sentBytes: 1, measured: 1, lateUs: 0 }), /sent 1 bytes, but \d+ came$/],
  ['down', said(end, { sentBytes: 1e9, measured: 1, lateUs: 0 }), /1 datagrams, but \d+ came$/],
  ['down', said(end, { sentBytes: 'x' }), /makes no sense$/],
] as const)
  test(`${direction}: what a server claims must be possible: ${reason}`, async () => {
    const options = { ...paced, durationMs: 300, direction }
    const { reasons } = await measured(options, { down })
    assert.match(reasons.join(), reason)
  })

test('a bit flipped in any byte of a head is found, and spoils no other figure', async () => {
  const flipped = { up: 0, down: 0 }
  const flip = (way: 'up' | 'down') => {
    let payloads = 0
    return (data: Buffer) => {
      const n = data[0] === payload ? payloads++ : 0
      // Each byte of the 24 in turn: in the kind, too, and in the word of the session.
      if (n % 4 !== 3) return data
      flipped[way]++
      data[(n >> 2) % 24]! ^= 1 << (n % 7)
      return data
    }
  }
  const [onUp, onDown] = [flip('up'), flip('down')]
  const up = (data: Buffer) => {
    onUp(data)
    return portOf(paired)
  }
  const options = { ...paced, direction: 'both' } as const
  const result = await measured(options, { up, down: onDown })
  for (const way of ['up', 'down'] as const) {
    const { wrongBytes, datagrams } = result[way]!
    const { sent, received, lost, duplicated, reordered, wrongHeads } = datagrams!
    assert.deepEqual([lost, duplicated, reordered], [0, 0, 0], way)
    assert.deepEqual([wrongHeads, wrongBytes], [flipped[way], flipped[way]], way)
    assert.equal(received, sent! - wrongHeads)
    const because = `${wrongHeads} datagrams ${way} came with a wrong header`
    assert.ok(
      result.failedBecause.some(why => why.startsWith(because)),
      result.failedBecause.join(),
    )
  }
  assert.deepEqual(result.reasons, [])
})

test('datagrams that were made longer are wrong, also where the system joins them', async () => {
  const longer = (data: Buffer) =>
    data[0] === payload ? Buffer.concat([data, Buffer.of(120)]) : data
  const options = { ...paced, direction: 'down', ratePerSecond: 20_000, durationMs: 50 } as const
  const { down } = await measured(options, { down: longer })
  assert.ok(down!.wrongBytes > 0)
})
