/** Each fault alone, on a simulated clock: its waits end exactly when they are due. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRandom } from './chain.ts'
import { Reset, type Chunk } from './fault.ts'
import { createFault } from './index.ts'
import { parseFault } from './parse.ts'

interface Run {
  pieces: Buffer[]
  /** When each piece left, and with which time it was passed on. */
  left: number[]
  stamps: number[]
  hits: number
  reset: boolean
}

/** Sends chunks through a fault, and writes down all that comes out. */
async function run(text: string, chunks: Chunk[], seed = 1): Promise<Run> {
  const result: Run = { pieces: [], left: [], stamps: [], hits: 0, reset: false }
  let now = 0
  const fault = createFault(parseFault(text), {
    openedAt: 0,
    carries: 'bytes',
    sleepUntil: async at => void (now = Math.max(now, at)),
    random: createRandom(seed, 0, 0),
    reset: () => void (result.reset = true),
    hit: () => void result.hits++,
  })
  async function* arriving() {
    for (const { data, at } of chunks) {
      now = Math.max(now, at)
      yield { data: Uint8Array.from(data), at }
    }
  }
  try {
    for await (const { data, at } of fault(arriving())) {
      result.pieces.push(Buffer.from(data))
      result.left.push(now)
      result.stamps.push(at)
    }
  } catch (error) {
    if (!(error instanceof Reset)) throw error
    result.reset = true
  }
  return result
}

const every = (ms: number, count: number, bytes: number): Chunk[] =>
  Array.from({ length: count }, (_, n) => ({ data: Buffer.alloc(bytes, n), at: n * ms }))
const total = (chunks: Chunk[]) => Buffer.concat(chunks.map(({ data }) => data))
const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

test('delay counts from arrival, and tells the next fault when it let go', async () => {
  const { left, stamps } = await run('delay=50ms', every(10, 10, 1))
  const due = Array.from({ length: 10 }, (_, n) => 50 + n * 10)
  assert.deepEqual(left, due)
  assert.deepEqual(stamps, due)
})

test('jitter is uniform around the delay; an exponential delay has its mean', async () => {
  const chunks = every(1e4, 4000, 1)
  const delays = async (text: string) => {
    const { left } = await run(text, chunks)
    return left.map((at, n) => at - n * 1e4).toSorted((a, b) => a - b)
  }
  const uniform = await delays('delay=50ms~10ms')
  assert.ok(uniform[0]! >= 40 && uniform[0]! < 40.1 && uniform.at(-1)! > 59.9)
  assert.ok(uniform.at(-1)! < 60)
  for (const part of [0.25, 0.5, 0.75])
    assert.ok(Math.abs(uniform[part * 4000]! - (40 + part * 20)) < 1, `${part} of the delays`)
  const exponential = await delays('delay=exp:50ms')
  assert.ok(Math.abs(mean(exponential) - 50) < 3)
  assert.ok(Math.abs(exponential[2000]! - 50 * Math.log(2)) < 3)
})

test('delays that differ do not change the order of a stream', async () => {
  const { pieces, left } = await run('delay=50ms~50ms', every(1, 200, 1))
  assert.deepEqual(Buffer.concat(pieces), total(every(1, 200, 1)))
  assert.deepEqual(
    left,
    left.toSorted((a, b) => a - b),
  )
})

test('throttle has its rate, and saves nothing up while there is nothing to send', async () => {
  const busy = await run('throttle=64k/s', every(0, 4, 32_000))
  assert.ok(Math.abs(busy.left.at(-1)! - 2000) < 1e-6)
  assert.ok(busy.pieces.every(({ length }) => length <= 640))
  const [, idle] = (await run('throttle=1k/s', every(5000, 2, 100))).left
    .map(Math.round)
    .reduce<number[][]>((both, at) => (both[at < 5000 ? 0 : 1]!.push(at), both), [[], []])
  assert.equal(idle!.at(-1), 5100)
})

test('slices have the sizes, whatever the chunks, and lose nothing', async () => {
  const chunks = every(0, 20, 1000)
  const ten = await run('slice=10', chunks)
  assert.ok(ten.pieces.every(({ length }) => length === 10))
  assert.deepEqual(Buffer.concat(ten.pieces), total(chunks))
  const { pieces } = await run('slice=1-100', [{ data: total(chunks), at: 0 }])
  const sizes = new Set(pieces.map(({ length }) => length))
  assert.ok(Math.min(...sizes) === 1 && Math.max(...sizes) === 100 && sizes.size > 80)
  assert.deepEqual(Buffer.concat(pieces), total(chunks))
  // The same cuts, besides those between the chunks.
  const ends = (some: Buffer[]) => {
    let end = 0
    return some.map(({ length }) => (end += length))
  }
  const cuts = new Set(ends((await run('slice=1-100', chunks)).pieces))
  for (const end of ends(pieces)) assert.ok(cuts.has(end), `no cut at ${end}`)
})

test('corrupt flips as many bits as it counts, at the same places in any chunks', async () => {
  const chunks = every(0, 100, 1000)
  const flips = ({ pieces }: Run) => {
    const [sent, received] = [total(chunks), Buffer.concat(pieces)]
    return [...received.entries()]
      .map(([at, byte]) => ({ at, bits: byte ^ sent[at]! }))
      .filter(({ bits }) => bits !== 0)
  }
  const result = await run('corrupt=1%', chunks)
  const found = flips(result)
  assert.equal(found.length, result.hits)
  assert.ok(Math.abs(found.length - 1000) < 130, `${found.length} flips`)
  assert.ok(found.every(({ bits }) => Number.isInteger(Math.log2(bits))))
  assert.equal(new Set(found.map(({ bits }) => bits)).size, 8)
  assert.deepEqual(flips(await run('corrupt=1%', [{ data: total(chunks), at: 0 }])), found)
  assert.equal(flips(await run('corrupt=100%', chunks)).length, 100_000)
  assert.equal(flips(await run('corrupt=0', chunks)).length, 0)
})

for (const bytes of [0, 1, 10, 25, 30]) {
  test(`truncate and reset let exactly ${bytes} bytes through`, async () => {
    const chunks = every(0, 3, 10)
    for (const kind of ['truncate', 'reset']) {
      const { pieces, reset, hits } = await run(`${kind}=${bytes}`, chunks)
      assert.deepEqual(Buffer.concat(pieces), total(chunks).subarray(0, bytes))
      assert.deepEqual([reset, hits], [kind === 'reset', 1])
    }
  })

  test(`hang waits without end after ${bytes} bytes, and then goes on without a gap`, async () => {
    const { pieces, left } = await run(`hang=${bytes}`, every(0, 3, 10))
    assert.deepEqual(Buffer.concat(pieces), total(every(0, 3, 10)))
    const before = pieces.filter((_, n) => left[n]! < Infinity)
    assert.equal(Buffer.concat(before).length, bytes)
  })
}

test('a client that sends less meets neither truncate, reset nor hang', async () => {
  for (const kind of ['truncate', 'reset', 'hang']) {
    const { pieces, hits, reset, left } = await run(`${kind}=31`, every(0, 3, 10))
    assert.deepEqual(Buffer.concat(pieces), total(every(0, 3, 10)))
    assert.deepEqual([hits, reset, Math.max(...left)], [0, false, 0])
  }
})

test('slow-accept holds back what came early, and only that', async () => {
  const { left } = await run('slow-accept=25ms', every(10, 5, 1))
  assert.deepEqual(left, [25, 25, 25, 30, 40])
})

test('the same seed draws the same, another seed, connection or place something else', async () => {
  const draw = (...[seed, connection, place]: [number, number, number]) => {
    const random = createRandom(seed, connection, place)
    return Array.from({ length: 50 }, () => random())
  }
  assert.deepEqual(draw(1, 2, 3), draw(1, 2, 3))
  const [one, ...others] = [draw(1, 1, 1), draw(2, 1, 1), draw(1, 2, 1), draw(1, 1, 2)]
  for (const other of others) assert.ok(other.every((value, n) => value !== one[n]))
  // Neighbouring numbers begin independently, or the share of hit connections would be wrong.
  const firsts = Array.from({ length: 10_000 }, (_, n) => createRandom(1, n, 0)())
  assert.ok(Math.abs(firsts.filter(value => value < 0.1).length - 1000) < 120)
  assert.ok(firsts.every(value => value >= 0 && value < 1))
})
