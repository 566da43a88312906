/**
 * npm run bench:direction: what one flow of tcp on the loopback costs the sender, and the receiver
 * that verifies it, against iperf3, which verifies nothing. In turn, five rounds; medians of
 * processor time per byte, and their ratios. Linux with iperf3 and ss (iproute2). Then 100,000
 * datagrams a second of 1,400 bytes in each direction: how late they were sent, and what was lost.
 * `npm run bench:direction -- 0` leaves out the rounds of tcp.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { DirectionResult } from 'yodel'
import { freePort } from '../test/client.ts'
import { median, schedNs } from './figures.ts'

const yodel = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const [rounds = 5, gigabytes = 2] = process.argv.slice(2).map(Number)
/** A program in JavaScript compiles itself while its first bytes flow. */
const warmupBytes = 1e9
const patienceMs = 15_000

interface Cost {
  /** Nanoseconds of a byte, which are seconds of a gigabyte. */
  sender: number
  receiver: number
  gbitPerSecond: number
}

/** What the other end has acknowledged of what a client has sent to that port. */
function ackedBytes(port: number): number {
  const filter = ['state', 'established', `( dport = :${port} )`]
  const said = execFileSync('ss', ['-tinH', ...filter], { encoding: 'utf8' })
  return Math.max(0, ...[...said.matchAll(/bytes_acked:(\d+)/g)].map(([, bytes]) => Number(bytes)))
}

async function cost(sender: ChildProcess, receiver: ChildProcess, port: number): Promise<Cost> {
  const until = async (bytes: number) => {
    const untilMs = performance.now() + patienceMs
    while (ackedBytes(port) < bytes && performance.now() < untilMs) await sleep(50)
  }
  const look = () => ({
    sent: schedNs(sender.pid!),
    received: schedNs(receiver.pid!),
    bytes: ackedBytes(port),
    atMs: performance.now(),
  })
  await until(warmupBytes)
  const before = look()
  await until(before.bytes + gigabytes * 1e9)
  const after = look()
  const bytes = after.bytes - before.bytes
  return {
    sender: (after.sent - before.sent) / bytes,
    receiver: (after.received - before.received) / bytes,
    gbitPerSecond: (bytes * 8) / (after.atMs - before.atMs) / 1e6,
  }
}

async function measured(server: string[], client: (port: number) => string[]): Promise<Cost> {
  const port = await freePort()
  const start = ([command, ...args]: string[]) =>
    spawn(command!, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  const receiver = start(server.map(arg => arg.replace('PORT', String(port))))
  await sleep(1_000)
  const sender = start(client(port))
  try {
    return await cost(sender, receiver, port)
  } finally {
    for (const child of [sender, receiver]) {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    }
  }
}

const node = process.execPath
const contestants: Record<string, () => Promise<Cost>> = {
  iperf3: () =>
    measured(['iperf3', '-s', '-1', '-p', 'PORT'], port => [
      'iperf3',
      '-c',
      '127.0.0.1',
      '-p',
      String(port),
      '-t',
      '600',
    ]),
  yodel: () => {
    const serve = [node, yodel, 'serve', '--directions', '--threads', '1', 'tcp://127.0.0.1:PORT']
    return measured(serve, port => {
      const to = [`tcp://127.0.0.1:${port}`, '--direction', 'up', '--duration', '10m']
      return [node, yodel, 'bench', ...to, '--warmup', '0']
    })
  },
}

/** 100,000 datagrams a second, verified by the end that receives them. */
async function paced(side: 'up' | 'down'): Promise<string> {
  const port = await freePort()
  const url = `udp://127.0.0.1:${port}`
  const stdio = ['ignore', 'ignore', 'pipe'] as const
  const server = spawn(node, [yodel, 'serve', '--directions', url], { stdio: [...stdio] })
  try {
    // It says where it listens.
    await once(server.stderr, 'data')
    const to = ['bench', url, '--direction', side, '--rate', '100k/s', '--size', '1400']
    const said = execFileSync(node, [yodel, ...to, '--duration', '5s', '--json'])
    const result = JSON.parse(said.toString()) as DirectionResult
    const told = (['up', 'down'] as const).flatMap(each => {
      const datagrams = result[each]?.datagrams
      if (!datagrams) return []
      const { sent, lost, lateUs } = datagrams
      if (sent === null || lost === null || lateUs === null)
        return `${each}: the server did not say`
      const [perSecond, share] = [(sent / 5).toFixed(0), ((lost / sent) * 100).toFixed(2)]
      return `${each} ${perSecond}/s, p99 of sends ${lateUs.toFixed(0)} us late, ${share} % lost`
    })
    return `udp ${side}: ${told.join('; ')}; ${result.verdict}`
  } finally {
    server.kill('SIGKILL')
    await once(server, 'exit')
  }
}

const found = new Map<string, Cost[]>(Object.keys(contestants).map(name => [name, []]))
const text = ({ sender, receiver, gbitPerSecond }: Cost) =>
  `sender ${sender.toFixed(3)} s/GB, receiver ${receiver.toFixed(3)} s/GB, ` +
  `${gbitPerSecond.toFixed(1)} Gbit/s`
for (let round = 0; round < rounds; round++)
  for (const [name, run] of Object.entries(contestants)) {
    const one = await run()
    found.get(name)!.push(one)
    console.log(`${round + 1} ${name}: ${text(one)}`)
  }
const medianOf = (name: string): Cost => {
  const all = found.get(name)!
  return {
    sender: median(all.map(each => each.sender)),
    receiver: median(all.map(each => each.receiver)),
    gbitPerSecond: median(all.map(each => each.gbitPerSecond)),
  }
}
if (rounds > 0) {
  const [theirs, ours] = [medianOf('iperf3'), medianOf('yodel')]
  console.log(`median iperf3: ${text(theirs)}`)
  console.log(`median yodel: ${text(ours)}`)
  const ratio = (of: 'sender' | 'receiver') => (ours[of] / theirs[of]).toFixed(2)
  console.log(`yodel : iperf3, sender ${ratio('sender')}, receiver ${ratio('receiver')}`)
}
for (const side of ['up', 'down'] as const) console.log(await paced(side))
