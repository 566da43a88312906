/** One run against a known server, before a witness. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { bench, type BenchOptions } from 'yodel'
import type { Known } from './behaviour.ts'
import { figuresOf, meanOf, quantile, type Figures } from './figures.ts'
import type { Framing } from './framings.ts'
import { readCompiled, startCompiled } from './known-c.ts'
import { startKnown } from './known-server.ts'
import { watchOthers } from './noise.ts'
import { toldBy, type Times, type Told } from './result-fields.ts'
import type { Exchange } from './wire.ts'
import { cannotCapture, capture } from './witness.ts'

export interface Trial {
  name: string
  transport: Framing['transport']
  engine: 'node' | 'uring'
  known: Known
  /** Where the server is: in this process, in one of its own, in one that is written in C. */
  where: 'here' | 'apart' | 'C'
  load: BenchOptions & { connections: number; warmupMs: number; durationMs: number }
}

export interface Seen {
  told: Told
  figures: Figures
  /** What others took of a processor meanwhile; undefined where that is not known. */
  others: number | undefined
}

/** A prime number: what belongs to the transport itself has other lengths. */
const sizeBytes = 127

/** A server, and what it has logged itself. */
export interface Peer extends AsyncDisposable {
  url: string
  port: number
  pids: number[]
  log(): Promise<Exchange[]>
}

const peers: Record<Trial['where'], (known: Known, framing: Framing) => Promise<Peer>> = {
  async here(known, framing) {
    const server = await startKnown(known, framing)
    return { ...server, pids: [], log: async () => server.log }
  },
  async apart(known, framing) {
    const file = fileURLToPath(new URL('known-child.js', import.meta.url))
    const child = fork(file, [JSON.stringify({ known, framing })])
    const [{ url, port }] = (await once(child, 'message')) as [{ url: string; port: number }]
    const log = async () => {
      child.send('log')
      return ((await once(child, 'message')) as [Exchange[]])[0]
    }
    const close = async () => {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    return { url, port, pids: [child.pid!], log, [Symbol.asyncDispose]: close }
  },
  C: startCompiled,
}

/** @returns null if the witness has missed something */
export async function run(trial: Trial): Promise<Seen | null> {
  const { transport, engine, load } = trial
  const calling = transport === 'tls' ? { tls: { insecure: true } } : {}
  return watched(trial, transport, async peer =>
    toldBy(await bench(peer.url, { sizeBytes, engine, calling, ...load }).finished),
  )
}

/** The same load by the client in C, over tcp, which loses nothing: only times are told. */
export async function control(trial: Trial): Promise<Seen | null> {
  const { known } = trial
  const lossless: Known = known.kind === 'lossy' ? { kind: 'fixed', delayMs: known.delayMs } : known
  return watched({ ...trial, known: lossless }, 'tcp', async peer => {
    const rows = await readCompiled(peer.port, sizeBytes, trial.load)
    const of = (from: 'plannedNs' | 'sentNs') =>
      timesOf(rows.map(row => (row.cameNs - row[from]) / 1e3))
    return { service: of('sentNs'), response: of('plannedNs') } as Told
  })
}

async function watched(
  { known, load, where }: Trial,
  transport: Framing['transport'],
  tell: (peer: Peer) => Promise<Told>,
): Promise<Seen | null> {
  const framing = { transport, sizeBytes }
  await using peer = await peers[where](known, framing)
  const wire = cannotCapture ? undefined : await capture(peer.port, framing)
  const othersTook = watchOthers([...peer.pids, ...(wire ? [wire.pid] : [])])
  const told = await tell(peer)
  const others = othersTook()
  const exchanges = wire ? await wire.finish() : await peer.log()
  if (exchanges === null) return null
  return { told, figures: figuresOf(exchanges, load), others }
}

function timesOf(us: number[]): Times {
  const sorted = us.toSorted((a, b) => a - b)
  const known = (q: number) => ((1 - q) * sorted.length >= 10 ? quantile(sorted, q) : null)
  return {
    count: sorted.length,
    mean: meanOf(sorted),
    p50: known(0.5),
    p90: known(0.9),
    p99: known(0.99),
    p999: known(0.999),
  } as Times
}
