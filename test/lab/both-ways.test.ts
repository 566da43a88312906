/** What is said of each direction, on paths that differ by direction in a known way. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DirectionResult, LoadedResult, RunResult } from 'yodel'
import { onlyFull, short } from '../full.ts'
import { missing } from '../program.ts'
import type { Packet } from '../truth/pcap.ts'
import { lose, slow } from './defects.ts'
import type { Host } from './host.ts'
import { noLab } from './lab.ts'
import { createPath, type Path } from './path.ts'

/** Rates and times need a machine that is not busy. */
const rare = noLab || onlyFull

async function bench<R>(client: Host, url: string, ...args: string[]): Promise<R> {
  const program = client.yodel(['bench', url, '--json', ...args])
  const { stdout, stderr, code, signal } = await program.finished
  assert.ok(stdout.length > 0, `${code} ${signal}: ${stderr}`)
  return JSON.parse(stdout.toString()) as R
}

/** How far a count may be from its expectation in 99 of 100 cases. */
const bound = (n: number, share: number) => 2.576 * Math.sqrt(n * share * (1 - share))

test('loss is told of the direction in which it was', { skip: rare }, async () => {
  const { lab, client, near, far, server } = await createPath()
  await using _ = lab
  // Only datagrams with payload are of that size.
  await lose(near, 'far', 0.02, 'udp length 708')
  await lose(far, 'near', 0.1, 'udp length 708')
  const { url } = await server.serve('--directions', '--max-rate', '100k/s', 'udp://0.0.0.0:0')
  const size = ['--size', '700', '--warmup', '0', '--rate', '2k/s']
  const lasts = ['--duration', short('5s', '1s')]
  const { up, down, verdict } = await bench<DirectionResult>(
    client,
    url,
    '--direction',
    'both',
    ...size,
    ...lasts,
  )
  assert.equal(verdict, 'pass')
  const lost = [await near.counted('lost-far'), await far.counted('lost-near')] as const
  // The packet filters counted the same, one by one.
  assert.deepEqual([up!.datagrams!.lost, down!.datagrams!.lost], lost)
  for (const [{ datagrams }, share] of [
    [up!, 0.02],
    [down!, 0.1],
  ] as const) {
    const { sent, lost } = datagrams!
    assert.ok(Math.abs(lost! - sent! * share) <= bound(sent!, share) * 2, `${lost} of ${sent}`)
  }
  // An echo knows only the sum of both.
  const echoed = await bench<RunResult>(client, url, ...size, '--count', '1000')
  const since = (await near.counted('lost-far')) + (await far.counted('lost-near'))
  assert.equal(echoed.datagrams!.lost, since - lost[0] - lost[1])
})

/** What RFC 3550 makes of packets that were seen at both ends, as they came. */
function jitterMs(sent: readonly Packet[], came: readonly Packet[]): number {
  const sentMs = new Map(sent.map(packet => [packet.payload.readUInt32BE(8), packet.atMs]))
  let [jitter, before]: [number, number | undefined] = [0, undefined]
  for (const { payload, atMs } of came) {
    const transit = atMs - sentMs.get(payload.readUInt32BE(8))!
    jitter += (Math.abs(transit - (before ?? transit)) - jitter) / 16
    before = transit
  }
  return jitter
}

/** How far yodel and tcpdump are apart, in milliseconds of jitter. */
async function jitters({ client, server }: Path, url: string, port: number) {
  const atClient = await client.capture('near', 'udp')
  const atServer = await server.capture('far', 'udp')
  // Each datagram of another fills the slow link for 20 ms.
  const bursts = ['--rate', '10/s', '--size', '20000', '--duration', '1h']
  const other = client.yodel(['bench', url, ...bursts])
  const size = ['--size', '200', '--warmup', '0', '--rate', '500/s', '--duration', '3s']
  const { up, down } = await bench<DirectionResult>(client, url, '--direction', 'both', ...size)
  other.kill('SIGKILL')
  await other.finished
  const isOurs = ({ payload }: Packet) => payload[0] === 0xb3 && payload.length === 200
  const [nearby, away] = [await atClient.finish(), await atServer.finish()].map(all =>
    all.filter(isOurs),
  ) as [Packet[], Packet[]]
  const on = (packets: readonly Packet[], side: 'up' | 'down') =>
    packets.filter(({ to }) => (to === port) === (side === 'up'))
  return {
    up: { said: up!.datagrams!.jitterUs / 1e3, wire: jitterMs(on(nearby, 'up'), on(away, 'up')) },
    down: {
      said: down!.datagrams!.jitterUs / 1e3,
      wire: jitterMs(on(away, 'down'), on(nearby, 'down')),
    },
  }
}

const noCapture = rare || missing('tcpdump')
test('jitter of each direction is that of tcpdump at both ends', { skip: noCapture }, async () => {
  const path = await createPath()
  await using _ = path.lab
  await slow(path.near, 'far', '8mbit', 200)
  const { url, port } = await path.server.serve('--directions', 'udp://0.0.0.0:0')
  const agree = ({ said, wire }: { said: number; wire: number }) =>
    Math.abs(said - wire) < Math.max(0.3, 0.2 * wire)
  const tried: unknown[] = []
  // A busy machine wakes programs later than the kernel sees a packet; a wrong figure never agrees.
  for (let tries = 0; tries < 5; tries++) {
    const { up, down } = await jitters(path, url, port)
    tried.push({ up, down })
    if (agree(up) && agree(down) && up.wire > 5 * down.wire && up.said > 3 * down.said) return
  }
  assert.fail(JSON.stringify(tried))
})

/** The share of payload in what passes a link: 1,448 of 1,514 bytes, with the options of tcp. */
const payloadShare = 1448 / 1514

/** Bits per second of payload that iperf3 says, in one direction. */
async function iperf3(client: Host, server: Host, seconds: number, ...args: string[]) {
  const serving = server.run('iperf3', ['-s', '-1', '--forceflush'])
  await serving.says(/listening on/)
  const to = ['-c', server.ip4, '-J', '-t', String(seconds), '-O', '1', ...args]
  const { stdout } = await client.run('iperf3', to).finished
  const { end } = JSON.parse(stdout.toString()) as {
    end: { sum_received: { bits_per_second: number } }
  }
  return end.sum_received.bits_per_second
}

test('each direction has the rate of its link', { skip: rare }, async () => {
  const { lab, client, near, far, server } = await createPath()
  await using _ = lab
  await slow(near, 'far', '8mbit', 100)
  await slow(far, 'near', '20mbit', 100)
  const { url } = await server.serve('--directions')
  for (const [side, rate, ...args] of [
    ['up', 8e6],
    ['down', 20e6, '-R'],
  ] as const) {
    const lasts = ['--duration', '5s', '--warmup', '1s']
    const result = await bench<DirectionResult>(client, url, '--direction', side, ...lasts)
    assert.deepEqual(result.failedBecause, [])
    const said = result[side]!.bytesPerSecond! * 8
    const expected = rate * payloadShare
    assert.ok(Math.abs(said / expected - 1) < 0.03, `${side} ${said} ${expected}`)
    if (missing('iperf3')) continue
    const witness = await iperf3(client, server, 5, ...args)
    assert.ok(Math.abs(said / witness - 1) < 0.05, `${side} ${said}, iperf3 ${witness}`)
  }
})

const measuredMs = 5_000
const lookEveryMs = 250

/** Milliseconds that what waits in the buffer of a slow link takes to leave it, now. */
async function queuedMs(router: Host, neighbour: string, bitsPerSecond: number): Promise<number> {
  const shown = await router.sh(`tc -s -j qdisc show dev to-${neighbour}`)
  const [{ backlog }] = JSON.parse(shown) as [{ backlog: number }]
  return (backlog * 8 * 1e3) / bitsPerSecond
}

/**
 * Fills the way up. The senders are of the kind that fills whatever buffer there is. Also: how long
 * the kernel's own account says that the buffer was, most of the time.
 */
async function added(megabits: number, bufferMs: number) {
  const { lab, client, near, server } = await createPath()
  await using _ = lab
  await slow(near, 'far', `${megabits}mbit`, bufferMs)
  const change = 'ip route change $route congctl cubic'
  await client.sh(`ip route | grep via | while read -r route; do ${change}; done`)
  const { url } = await server.serve('--directions')
  // So long it takes until cubic has filled a large one: the window grows with the time cubed.
  const warmup = bufferMs > 100 ? '12s' : '3s'
  const lasts = ['--duration', `${measuredMs}ms`, '--warmup', warmup]
  const looks: number[] = []
  const ended = new AbortController()
  const [result] = await Promise.all([
    bench<LoadedResult>(client, url, '--load', 'up:4', ...lasts).finally(() => ended.abort()),
    look(),
  ])
  async function look() {
    while (!ended.signal.aborted) {
      looks.push(await queuedMs(near, 'far', megabits * 1e6))
      await sleep(lookEveryMs)
    }
  }
  // The window is the last thing that it measures under load.
  const loaded = looks.filter(ms => ms > bufferMs / 10).slice(-measuredMs / lookEveryMs)
  const witnessMs = loaded.toSorted((a, b) => a - b)[Math.floor(loaded.length / 2)]!
  return { ...result, witnessMs }
}

test('a buffer of 500 ms is seen as one', { skip: rare }, async () => {
  const { addedUs, grade, flows, witnessMs } = await added(20, 500)
  assert.equal(flows.verdict, 'pass')
  // How full it is depends on when the senders lose a packet; as full as it was, it is seen.
  const said = `${addedUs.p50} us, and ${witnessMs} ms by the kernel's account`
  assert.ok(witnessMs > 300 && witnessMs < 550, said)
  assert.ok(Math.abs(addedUs.p50! / 1e3 / witnessMs - 1) < 0.15, said)
  assert.equal(grade, 'unusable')
})

test('a buffer of 5 ms adds less by an order of magnitude', { skip: rare }, async () => {
  const { addedUs } = await added(20, 5)
  assert.ok(addedUs.p50! < 50e3, `${addedUs.p50}`)
})
