/** What a client asks of the system for its sockets, as the kernel shows them (ss of iproute2). */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { after, before, test } from 'node:test'
import { bench, serve, type Server } from 'yodel'
import { until } from './client.ts'
import { onlyFull } from './full.ts'
import { missing, portOf, Program } from './program.ts'
import { loadRefusal } from './refusal.ts'
import { createTypist } from './typist.ts'

const typed = createTypist()

const servers = new Map<string, Server>()
const names = ['tcp', 'udp', 'tls', 'ws', 'http'] as const
const onRing = ['tcp', 'udp', 'tls', 'ws'] as const
before(async () => {
  for (const name of names)
    servers.set(name, await serve(`${name}://127.0.0.1:0`, { engine: 'node' }))
})
after(() => Promise.all([...servers.values()].map(server => server.close('now'))))

/** The sockets that are connected to a port, with their options. */
function shown(port: number, isUdp: boolean): string {
  const kind = isUdp ? '-u' : '-t'
  const { stdout } = spawnSync('ss', ['-Hnim', '--tos', kind, `dport = :${port}`])
  return stdout.toString()
}

const asked = { dscp: 46, sendBufferBytes: 100_000, receiveBufferBytes: 90_000, interface: 'lo' }
const load = { connections: 2, ratePerSecond: 100, durationMs: 600_000, warmupMs: 0 }
const skip = missing('ss')

for (const engine of ['node', 'uring'] as const)
  for (const name of engine === 'node' ? names : onRing)
    test(
      `${engine}, ${name}: the options are in force`,
      { skip: skip || loadRefusal(engine) || (!['tcp', 'udp'].includes(name) && onlyFull) },
      async () => {
        const { url } = servers.get(name)!
        const isUdp = name === 'udp'
        const socket = isUdp ? asked : { ...asked, congestion: 'reno' }
        const tls = { insecure: true }
        const calling = { socket, ...(name === 'tls' && { tls }) }
        const run = bench(url, { ...load, engine, calling })
        await run.ready
        let text = ''
        await until(() => (text = shown(portOf(url), isUdp)).split('skmem:').length === 3)
        run.stop()
        const { run: done } = await run.finished
        assert.equal(done.engine, engine)
        // The kernel keeps twice what is asked for, and the two bits below are of ECN.
        for (const part of ['tos:0xb8', 'rb180000', 'tb200000', '127.0.0.1%lo:'])
          assert.equal(text.split(part).length, 3, `${part}: ${text}`)
        if (!isUdp) assert.equal(text.split(/\breno\b/).length, 3, text)
      },
    )

/** In a network of its own, where a client has twenty ports for one port of a server. */
const fewPorts = `ip link set lo up && echo 40000 40019 > /proc/sys/net/ipv4/ip_local_port_range
exec "$@"`
const alone = (...command: string[]) => [
  '--map-root-user',
  '--net',
  'sh',
  '-c',
  fewPorts,
  'sh',
  ...command,
]
const noNetwork =
  missing('ip') || (spawnSync('unshare', alone('true')).status !== 0 && 'no namespaces here')

const twoLoads = `
import { bench, serve } from 'yodel'
const server = await serve('tcp://127.0.0.1:7', { engine: 'node' })
for (const source of [['127.0.0.1'], ['127.0.0.2', '127.0.0.3']]) {
  const load = { connections: 30, count: 30, warmupMs: 0, calling: { source } }
  const result = await bench(server.url, { ...load, engine: process.argv[1] }).finished
  console.log(result.messages.received, result.failedBecause.join(' '))
}
await server.close('now')
`

for (const engine of ['node', 'uring'] as const)
  test(
    `${engine}: if the ports of one address are used up, others have more`,
    { skip: noNetwork || loadRefusal(engine) || onlyFull },
    async () => {
      const command = [process.execPath, '--input-type=module', '-e', twoLoads, engine]
      const { stdout, stderr } = await new Program('unshare', alone(...command), 'ignore').finished
      const [one, two] = stdout.toString().split('\n')
      assert.match(one!, /^\d+ 10 connections failed: .* had no port left .* see --source/, stderr)
      assert.match(two!, /^30 $/)
    },
  )

test('what the system does not have is refused in a line', { skip }, async () => {
  const url = servers.get('tcp')!.url
  const cases: [args: string[], said: RegExp][] = [
    [['--dscp', 'fast'], /'fast' is not a code point\. Write a number from 0 to 63, or ef/],
    [['--dscp', '64'], /'64' is not a code point/],
    [['--interface', 'no/name'], /It must be 1 to 15 letters, digits, dots, /],
    [['--interface', 'none0'], /This machine has no network interface 'none0'\. See `ip link`/],
    [['--congestion', 'none'], /no congestion control 'none'\. It has: .*reno/],
    [['--send-buffer', '1G'], /allows a buffer of \d+ bytes at most, not 1000000000\. Raise net/],
    [['--receive-buffer', '1G'], /Raise net\.core\.rmem_max/],
  ]
  const all = cases.flatMap(([args, said]) =>
    (['node', 'uring'] as const)
      .filter(engine => !loadRefusal(engine))
      .map((engine): (typeof cases)[number] => [['bench', url, '--engine', engine, ...args], said]),
  )
  all.push(
    [['connect', url, '--interface', 'none0'], /no network interface 'none0'/],
    [['bench', 'unix:/x', '--dscp', 'ef'], /A socket of unix sends no packets/],
    [['bench', 'udp://127.0.0.1:7', '--congestion', 'reno'], /udp has no congestion control/],
    [['bench', url, '--agents', '2', '--interface', 'lo'], /An interface belongs to one machine/],
  )
  for (const [args, said] of all) {
    const { code, stderr } = await typed(args)
    assert.match(stderr, said)
    assert.match(stderr, /^yodel: [^\n]+\n$/)
    assert.equal(code, 2, args.join(' '))
  }
})
