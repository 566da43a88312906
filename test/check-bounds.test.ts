/** yodel check never has more connections open at once than it may. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { check, serve, type CheckResult, type Server } from 'yodel'
import { onlyFull } from './full.ts'
import { badPath, faithful, type Join } from './peers/bad-path.ts'
import { portOf, root } from './program.ts'
import type * as Addresses from '../src/vocabulary/address.ts'
import type * as Engine from '../src/engines/node/index.ts'

const { dial } = (await import(`${root}dist/engines/node/index.js`)) as typeof Engine
const { parseAddress } = (await import(`${root}dist/vocabulary/address.js`)) as typeof Addresses

const transports = ['tcp', 'tls', 'ws', 'http', 'https'] as const
const daily = new Set(['tcp', 'https'])
const servers = new Map<string, Server>()
before(async () => {
  for (const transport of transports) {
    const options = { engine: 'node', directions: true } as const
    servers.set(transport, await serve(`${transport}://127.0.0.1:0`, options))
  }
})
after(async () => {
  for (const server of servers.values()) await server.close('now')
})

/** How many turns it takes to read the last bytes of a connection, and then its end. */
const turns = 5

/** Passes all on, and counts the clients that have neither ended nor reset. */
function counting(): { join: Join; most: () => number } {
  const open = new Set<unknown>()
  let most = 0
  const count = async (those: ReadonlySet<unknown>) => {
    for (let turn = 0; turn < turns; turn++) await new Promise(resolve => setImmediate(resolve))
    most = Math.max(most, [...those].filter(each => open.has(each)).length)
  }
  return {
    join: (front, back) => {
      open.add(front)
      void count(new Set(open))
      for (const event of ['end', 'error', 'close']) front.once(event, () => open.delete(front))
      faithful(front, back)
    },
    most: () => most,
  }
}

async function countedCheck(transport: string, maxConnections: number) {
  const { join, most } = counting()
  await using path = await badPath(portOf(servers.get(transport)!.url), join)
  const calling = /tls|https/.test(transport) ? { tls: { insecure: true } } : {}
  const url = path.url.replace('tcp', transport)
  const options = { maxConnections, idleMs: 50, calling }
  const result: CheckResult = await check(url, options).finished
  return { result, most: most() }
}

for (const transport of transports) {
  const skip = !daily.has(transport) && onlyFull
  test(`${transport}: with one connection at once, and with two`, { skip }, async () => {
    const both = await Promise.all([1, 2].map(bound => countedCheck(transport, bound)))
    for (const [at, { result, most }] of both.entries()) {
      const bound = at + 1
      const told = JSON.stringify(result, null, 1)
      assert.ok(most <= bound, `${most} at once, and ${bound} were allowed: ${told}`)
      assert.ok(result.cost.atOnce <= bound, `it says ${result.cost.atOnce} of ${bound}`)
      const bad = result.questions.filter(({ outcome }) => /fails/.test(outcome))
      assert.deepEqual(bad, [])
      assert.ok(
        result.questions.some(({ outcome }) => outcome === 'ok'),
        told,
      )
    }
  })
}

test('a silence over WebSocket with many pings leaves no listener behind', async () => {
  const address = parseAddress(servers.get('ws')!.url)
  const { stream } = await dial({ address, calling: {} })
  const pinged = stream as typeof stream & { ping(): Promise<number> }
  const before = stream.listenerCount('close')
  for (let times = 0; times < 20; times++) await pinged.ping()
  assert.equal(stream.listenerCount('close'), before)
  stream.destroy()
})
