/** Measures one model of serving: its server alone, then with its clients, then under load. */
import { setTimeout as sleep } from 'node:timers/promises'
import { benchHere, type LoadRun } from '../bench.ts'
import { connect, type Connection } from '../connect.ts'
import { UserError } from '../vocabulary/errors.ts'
import { bucketStartNs, type Histogram } from '../metrics/histogram.ts'
import { failureNames } from '../metrics/meter.ts'
import { since, type Snapshot } from '../metrics/snapshot.ts'
import type { Model, ModelRound } from '../report/models.ts'
import { distribution } from '../report/summarize.ts'
import { ServerProcess } from './server-process.ts'

export interface RoundOptions {
  connections: number
  sizeBytes: number
  durationMs: number
}

/** After the expected clients were served, how long to wait for more. */
const settleMs = 100
/** The longest wait for clients that should be served and are not. */
const admissionMaxMs = 30_000
/**
 * The load goes on unmeasured until no new client has been served for this long, and for a multiple
 * of the longest wait between two without load: a thread takes its time to start.
 */
const quietMs = 300
const quietGaps = 4
const lookMs = 50
/** If a round trip took nearly as long as the load, its client had to wait before it was served. */
const nearlyAll = 0.9

/**
 * One round of one model.
 * @throws UserError if its server refuses, or fails; the reason of `signal` if it is aborted
 */
export async function measureRound(
  model: Model,
  options: RoundOptions,
  signal: AbortSignal,
  onStage: (stage: string) => void,
): Promise<ModelRound> {
  onStage('starting')
  const concurrency = Number.isFinite(model.concurrency) ? `${model.concurrency}` : 'unlimited'
  const flags = ['--engine', model.engine, '--concurrency', concurrency]
  await using server = await ServerProcess.start(flags)
  signal.throwIfAborted()
  onStage('letting clients in')
  const { gapMs, ...admission } = await admit(server, model, options, signal)
  onStage('under load')
  const load = await underLoad(server, options, Math.max(quietMs, quietGaps * gapMs), signal)
  return { startMs: server.startMs, ...admission, ...load }
}

/**
 * All clients connect, send one message and stay. Finds out how many are served, and at what cost.
 */
async function admit(
  server: ServerProcess,
  model: Model,
  { connections, sizeBytes }: RoundOptions,
  signal: AbortSignal,
) {
  const message = Buffer.alloc(sizeBytes, 'yodel')
  const peers: Connection[] = []
  try {
    // One client before the others: memory that is allocated only once is not a cost per client.
    const first = await connect(server.url)
    await first.echo(message)
    await first.close()
    await sleep(settleMs, undefined, { signal })
    const before = server.privateBytes()
    const startedMs = performance.now()
    let served = 0
    let servedMs = startedMs
    let gapMs = 0
    let failure: Error | undefined
    const onEcho = () => {
      served++
      const nowMs = performance.now()
      gapMs = Math.max(gapMs, nowMs - servedMs)
      servedMs = nowMs
    }
    while (peers.length < connections) {
      const peer = await connect(server.url)
      peers.push(peer)
      peer.echo(message).then(onEcho, (error: Error) => (failure = error))
    }
    const expected = Math.min(connections, model.concurrency)
    const settled = () =>
      served >= expected || failure !== undefined || performance.now() - startedMs > admissionMaxMs
    while (!settled()) await sleep(lookMs, undefined, { signal })
    await sleep(settleMs, undefined, { signal })
    if (failure !== undefined) throw new UserError('network', failure.message)
    const after = server.privateBytes()
    const grown = before === undefined || after === undefined ? undefined : after - before
    return {
      admissionMs: servedMs - startedMs,
      gapMs,
      memoryPerClientBytes: grown === undefined || served === 0 ? undefined : grown / served,
    }
  } finally {
    await Promise.all(peers.map(peer => peer.close()))
  }
}

/** The same load for every model: each client sends its next message when its echo is back. */
async function underLoad(
  server: ServerProcess,
  { connections, sizeBytes, durationMs }: RoundOptions,
  warmQuietMs: number,
  signal: AbortSignal,
) {
  // The load is stopped here, and not by a duration, so that its figures and those of the server
  // are of the same span of time.
  const run = benchHere(server.url, { connections, sizeBytes, durationMs: Infinity, warmupMs: 0 })
  await run.ready
  try {
    const startedMs = await untilFirst(run, signal)
    await warmUp(run, startedMs, warmQuietMs, signal)
    const before = read(run, server)
    await sleep(durationMs, undefined, { signal })
    const after = read(run, server)
    const loadMs = performance.now() - startedMs
    // The served clients leave now, and the waiting ones are served.
    run.stop('drain')
    const { lost } = (await run.finished).messages
    const total = run.snapshot()
    const late = slower(since(after.snapshot, total).response, loadMs * nearlyAll)
    return {
      servedClients: Math.max(0, connections - late - lost),
      ...figures(before, after, total),
    }
  } finally {
    run.stop('now')
    await run.finished
  }
}

/** When the first message was sent, or a little later: the load has a thread of its own. */
async function untilFirst(run: LoadRun, signal: AbortSignal): Promise<number> {
  for (;;) {
    const { messagesSent, open } = run.snapshot()
    if (messagesSent > 0 || open === 0) return performance.now()
    await sleep(1, undefined, { signal })
  }
}

/** Waits until no further client is served: a late first answer means that a new client is. */
async function warmUp(run: LoadRun, startedMs: number, warmQuietMs: number, signal: AbortSignal) {
  let before = run.snapshot()
  let lastNewMs = performance.now()
  for (;;) {
    const ageMs = performance.now() - startedMs
    await sleep(lookMs, undefined, { signal })
    const now = run.snapshot()
    if (slower(since(before, now).response, ageMs * nearlyAll) > 0) lastNewMs = performance.now()
    before = now
    if (performance.now() - lastNewMs > warmQuietMs || ageMs > admissionMaxMs) return
  }
}

/** How many samples were longer than `thanMs`. */
function slower(latency: Histogram, thanMs: number): number {
  let count = 0
  latency.forEach((bucket, samples) => {
    if (bucketStartNs(bucket) >= thanMs * 1e6) count += samples
  })
  return count
}

interface Reading {
  snapshot: Snapshot
  serverCpuNs: number | undefined
  /** Processor time of this process, in which only the load works. */
  loadCpuUs: number
}

function read(run: LoadRun, server: ServerProcess): Reading {
  const { user, system } = process.cpuUsage()
  return { snapshot: run.snapshot(), serverCpuNs: server.cpuNs(), loadCpuUs: user + system }
}

function figures(before: Reading, after: Reading, total: Snapshot) {
  const { messagesReceived: echoes, response, atMs } = since(before.snapshot, after.snapshot)
  const { p50, p99 } = distribution(response)
  const cpuKnown = before.serverCpuNs !== undefined && after.serverCpuNs !== undefined
  const failed = failureNames.map(name => [name, total[name]] as const).filter(([, n]) => n > 0)
  return {
    echoes,
    seconds: atMs / 1e3,
    ratePerSecond: echoes / (atMs / 1e3),
    p50Us: p50 ?? undefined,
    p99Us: p99 ?? undefined,
    cpuPerEchoUs:
      cpuKnown && echoes > 0
        ? (after.serverCpuNs! - before.serverCpuNs!) / 1e3 / echoes
        : undefined,
    loadCpuShare: (after.loadCpuUs - before.loadCpuUs) / 1e3 / atMs,
    failures: Object.fromEntries(failed),
  }
}
