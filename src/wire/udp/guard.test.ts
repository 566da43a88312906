/** Which datagrams a server does not answer, on a clock that does not run. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addressKindOf, datagramRules, Guard, type DatagramRule } from './guard.ts'

const data = Buffer.from('hello')
const noPorts = new Uint16Array(65_536)
const guardWith = (allow: DatagramRule[] = [], ratePerSource?: number, ports = noPorts) =>
  new Guard({ ratePerSource, allow }, ports, new Set())

test('each rule refuses what it is for, and no longer when it is lifted', () => {
  const ports = Uint16Array.from(noPorts)
  ports[40_000] = 1
  const cases: [rule: DatagramRule, address: string, port: number, as: string][] = [
    ['low-ports', '127.0.0.1', 1, 'datagramsFromLowPort'],
    ['low-ports', '::1', 1023, 'datagramsFromLowPort'],
    ['own-ports', '192.0.2.1', 40_000, 'datagramsFromOwnPort'],
    ['broadcast', '255.255.255.255', 50_000, 'datagramsFromBroadcast'],
    ['broadcast', '127.255.255.255', 50_000, 'datagramsFromBroadcast'],
    ['multicast', '224.0.0.1', 50_000, 'datagramsFromMulticast'],
    ['multicast', '::ffff:239.1.2.3', 50_000, 'datagramsFromMulticast'],
    ['multicast', 'ff02::1%eth0', 50_000, 'datagramsFromMulticast'],
  ]
  for (const [rule, address, port, as] of cases) {
    assert.equal(guardWith([], undefined, ports).refusal(data, address, port, 0), as)
    const others = datagramRules.filter(other => other !== rule)
    assert.equal(guardWith(others, undefined, ports).refusal(data, address, port, 0), as)
    assert.equal(guardWith([rule], undefined, ports).refusal(data, address, port, 0), undefined)
  }
  const all = guardWith([...datagramRules])
  for (const address of ['0.0.0.0', '::', '::ffff:0.0.0.0'])
    assert.equal(all.refusal(data, address, 50_000, 0), 'datagramsWithoutSource')
  assert.equal(all.refusal(data, '192.0.2.1', 0, 0), 'datagramsWithoutSource')
  for (const [address, port] of [
    ['192.0.2.1', 1024],
    ['2001:db8::1', 65_535],
  ] as const)
    assert.equal(guardWith().refusal(data, address, port, 0), undefined)
})

test('the broadcast addresses of the networks that we are in are known', () => {
  const broadcasts = new Set(['192.0.2.255'])
  assert.equal(addressKindOf('192.0.2.255', broadcasts), 'broadcast')
  assert.equal(addressKindOf('::ffff:192.0.2.255', broadcasts), 'broadcast')
  assert.equal(addressKindOf('192.0.2.254', broadcasts), 'other')
  assert.equal(addressKindOf('127.1.2.3', broadcasts), 'loopback')
  assert.equal(addressKindOf('::1', broadcasts), 'loopback')
})

test('a source has one second worth of answers at once, and then its rate', () => {
  const guard = guardWith([], 100)
  const answered = (address: string, count: number, nowMs: number) => {
    let answers = 0
    for (let n = 0; n < count; n++)
      if (guard.refusal(data, address, 40_000 + n, nowMs) === undefined) answers++
    return answers
  }
  assert.equal(answered('127.0.0.1', 1000, 0), 100)
  assert.equal(answered('192.0.2.1', 1000, 0), 100)
  assert.equal(answered('127.0.0.1', 1000, 50), 5)
  assert.equal(answered('127.0.0.1', 1000, 10_000), 100)
})

test('without a rate the loopback has none, and others ten thousand per second', () => {
  const guard = guardWith()
  for (const [address, answers] of [
    ['127.0.0.1', 20_000],
    ['192.0.2.1', 10_000],
  ] as const) {
    let count = 0
    for (let n = 0; n < 20_000; n++)
      if (guard.refusal(Buffer.from(`${n}`), address, 40_000, 0) === undefined) count++
    assert.equal(count, answers)
  }
})

test('loops are stopped, however many; clients, heartbeats and floods of others are not', () => {
  const refusals = (port: number, gapMs: number, contentOf: (n: number) => string) => {
    const guard = guardWith()
    let count = 0
    for (let n = 0; n < 5000; n++)
      if (guard.refusal(Buffer.from(contentOf(n)), '127.0.0.1', port, n * gapMs)) count++
    return count
  }
  assert.ok(refusals(7007, 0.05, () => 'x') > 0)
  assert.ok(refusals(7007, 0.05, n => `${n % 3}`) > 0)
  assert.equal(
    refusals(40_000, 0.05, () => 'x'),
    0,
  )
  assert.equal(
    refusals(7007, 100, () => 'x'),
    0,
  )
  assert.equal(
    refusals(7007, 0.05, n => `${n}`),
    0,
  )
})

test('from a port that may be a client one in ten thousand of the same is refused', () => {
  const guard = guardWith()
  let refused = 0
  let others = 0
  for (let n = 0; n < 25_000; n++) {
    if (guard.refusal(data, '127.0.0.1', 40_000, n / 100)) refused++
    if (guard.refusal(Buffer.from(`${n}`), '127.0.0.1', 40_001, n / 100)) others++
  }
  assert.deepEqual([refused, others], [2, 0])
  const loose = guardWith(['loops'])
  for (let n = 0; n < 25_000; n++)
    assert.equal(loose.refusal(data, '127.0.0.1', 40_000, n / 100), undefined)
})

test('while a loop is stopped nothing is answered, and then everything is again', () => {
  const guard = guardWith()
  const refused = (nowMs: number) => guard.refusal(data, '127.0.0.1', 7007, nowMs)
  for (let n = 0; n < 1000; n++) assert.equal(refused(n / 100), undefined)
  assert.equal(refused(10), 'datagramsInLoop')
  assert.equal(refused(109), 'datagramsInLoop')
  assert.equal(refused(110), undefined)
})
