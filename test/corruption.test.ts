/** A load that counts corrupt bytes finds exactly the bits that the server has flipped. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { bench, parseFault, serve, type Server } from 'yodel'
import { start } from './faulty.ts'
import { onlyFull, short } from './full.ts'
import { loadRefusal } from './refusal.ts'
import { createTypist } from './typist.ts'

const typed = createTypist()
const noUring = loadRefusal('uring')
const together = { concurrency: true }
const countCorruption = true

/**
 * Every message that is sent counts: there is no warm-up, and nothing in flight at the end is given
 * up.
 */
const load = { warmupMs: 0, count: short(1000, 300), connections: 3, depth: 4, countCorruption }
const sizeBytes = [{ minBytes: 1, maxBytes: 700, weight: 1 }]

describe('corruption that is counted', together, () => {
  test('is exactly what the server has flipped, at any rate, on any engine', async t => {
    await using server = await start('')
    for (const engine of ['node', 'uring'] as const) {
      const refusal = loadRefusal(engine)
      if (refusal !== false) t.diagnostic(refusal)
      const all = ['0', '1e-4', '5%', '100%']
      // The server looks at none of the bytes.
      const rates = short(all, engine === 'node' && !noUring ? [] : ['5%'])
      for (const rate of refusal !== false ? [] : rates) {
        await server.setFaults([parseFault(`corrupt=${rate}`)])
        const before = server.snapshot().faultsInjected
        const { finished } = bench(server.address, { ...load, engine, sizeBytes })
        const { corruption, errors, verdict, messages, failedBecause, ...more } = await finished
        const flipped = server.snapshot().faultsInjected - before
        assert.deepEqual(corruption, { corruptedBytes: flipped, flippedBits: flipped })
        assert.deepEqual([messages.received, errors.wrongBytes], [load.count, 0])
        assert.equal(verdict, flipped > 0 ? 'fail' : 'pass')
        assert.equal(failedBecause.length, flipped > 0 ? 1 : 0, failedBecause.join(' '))
        assert.equal(more.firstWrong?.cause, flipped > 0 ? 'corrupted' : undefined)
        if (rate === '100%') assert.equal(flipped, more.bytes.received)
        else if (rate !== '0') assert.ok(flipped > 0)
      }
    }
  })

  flipsInMessages()

  test(
    'a stream that is out of step still ends its connection, and is named',
    { skip: onlyFull },
    async () => {
      const misdeeds: Record<string, (bytes: Buffer) => Buffer> = {
        missing: bytes => Buffer.concat([bytes.subarray(0, 500), bytes.subarray(501)]),
        shifted: bytes =>
          Buffer.concat([bytes.subarray(0, 500), Buffer.of(7), bytes.subarray(500)]),
      }
      for (const [cause, misdeed] of Object.entries(misdeeds)) {
        await using server = await listen(misdeed)
        const options = { warmupMs: 0, count: 20, depth: 10, sizeBytes: 4000, countCorruption }
        const result = await bench(server.address, options).finished
        assert.equal(result.errors.wrongBytes, 1)
        // One bit of the third message was flipped before.
        assert.deepEqual(result.corruption, { corruptedBytes: 1, flippedBits: 1 })
        assert.equal(result.firstWrong?.cause, cause, result.firstWrong?.detail)
      }
    },
  )

  test('a replaced burst is corruption, whatever its bits', { skip: onlyFull }, async () => {
    await using server = await listen(bytes => {
      const burst = Buffer.from(bytes)
      for (let at = 3980; at < 4000; at++) burst[at]! ^= 0x0f
      return burst
    })
    const options = { warmupMs: 0, count: 5, sizeBytes: 4000, countCorruption }
    const result = await bench(server.address, options).finished
    assert.deepEqual(result.corruption, { corruptedBytes: 21, flippedBits: 81 })
    assert.deepEqual([result.messages.received, result.errors.wrongBytes], [5, 0])
  })
})

describe('what is said of it', () => {
  let server: Server
  before(async () => void (server = await start('corrupt=1%')))
  after(() => server.close('now'))

  const without = 'without it the first wrong byte ends the connection; not with churn'
  test(without, { skip: onlyFull }, async () => {
    const plain = { warmupMs: 0, count: 100, sizeBytes: 1000 }
    const { corruption, errors } = await bench(server.address, plain).finished
    assert.deepEqual([corruption, errors.wrongBytes], [null, 1])
    const churn = bench(server.address, { ...plain, countCorruption, churnPerSecond: 5 }).finished
    await assert.rejects(churn, /steady connections/)
    const datagrams = bench('udp://127.0.0.1:9', { countCorruption }).finished
    await assert.rejects(datagrams, /counted in streams/)
  })

  test('the program reports it, with what to type again, and exits with 1', async () => {
    const args = ['--count', '50', '--warmup', '0', '--size', '1k', '--count-corruption']
    const report = async () => {
      const before = server.snapshot().faultsInjected
      const { code, stdout: text } = await typed(['bench', server.url, ...args])
      return { code, text, flipped: server.snapshot().faultsInjected - before }
    }
    let { code, text, flipped } = await report()
    // A busy machine holds the generator up, which says so then; but not every time.
    for (let n = 0; n < 4 && code === 4; n++) ({ code, text, flipped } = await report())
    assert.equal(code, 1, text)
    assert.match(text, new RegExp(`corrupted +${flipped} bytes, ${flipped} bits flipped\n`))
    assert.match(text, /50 came back/)
    assert.match(text, /--count-corruption/)
    assert.match(text, new RegExp(`${flipped} bytes came back corrupted`))
  })
})

/** An echo that flips a bit of byte 10,000 and does something to the fourth 4,000 bytes. */
async function listen(misdeed: (bytes: Buffer) => Buffer) {
  const serveOne = async (socket: Socket) => {
    let [pending, offset] = [Buffer.alloc(0), 0]
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      pending = Buffer.concat([pending, chunk])
      for (; pending.length >= 4000; offset += 4000) {
        const message = Buffer.from(pending.subarray(0, 4000))
        pending = pending.subarray(4000)
        if (offset === 8000) message[2000]! ^= 4
        socket.write(offset === 12_000 ? misdeed(message) : message)
      }
    }
  }
  const server = createServer(socket => void serveOne(socket).catch(() => {}))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    address: `tcp://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.close()
      await once(server, 'close')
    },
  }
}

function flipsInMessages() {
  const inMessages: [engine: 'node' | 'uring', scheme: 'ws' | 'wss'][] = [
    ['node', 'ws'],
    ['uring', 'ws'],
    ['uring', 'wss'],
  ]
  for (const [engine, scheme] of inMessages) {
    const skip = loadRefusal(engine, scheme) || onlyFull
    const title = 'is so in messages too, and the log has each flip'
    test(`${title}: ${scheme}, ${engine}`, { skip }, async () => {
      let written = 0
      const faults = [parseFault('corrupt=1%')]
      const onFaults = (records: readonly unknown[]) => void (written += records.length)
      const server = await serve(`${scheme}://127.0.0.1:0/`, { faults, onFaults })
      const calling = scheme === 'wss' ? { tls: { insecure: true } } : {}
      const { finished } = bench(server.address, {
        ...load,
        count: 300,
        sizeBytes,
        engine,
        calling,
      })
      const { corruption, messages } = await finished
      await server.close()
      assert.deepEqual(corruption, { corruptedBytes: written, flippedBits: written })
      assert.deepEqual([written, messages.received], [server.snapshot().faultsInjected, 300])
      assert.ok(written > 100)
    })
  }
}
