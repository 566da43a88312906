/** serve(address): a listening echo server, in a thread of its own. */
import { availableParallelism } from 'node:os'
import { formatAddress, toOwnAddress, type Address } from './vocabulary/address.ts'
import { fingerprintOf } from './wire/tls/certificate.ts'
import { engineCan, type EngineName } from './vocabulary/engine-names.ts'
import { chooseEngine } from './engines/index.ts'
import { identityFor, invalidToday } from './wire/tls/credentials.ts'
import { usageError } from './vocabulary/errors.ts'
import type { FaultSpec } from './faults/index.ts'
import { play, type OnStep } from './faults/play.ts'
import { checkScript, stepAt, type FaultScript } from './faults/script.ts'
import { checkFaults } from './faults/applicable.ts'
import { Ledger } from './metrics/ledger.ts'
import type { Counts, Snapshot } from './metrics/snapshot.ts'
import {
  validateOptions,
  defaultsOf,
  resolve,
  type OptionsOf,
  type ResolvedOf,
} from './options/form.ts'
import { askedFor, checkTransport, isForEngine } from './options/where.ts'
import { datagramOptions, proxyOptions, serveOptions, webOptions } from './options/serve.ts'
import type { DatagramRules, WebRules } from './options/serve.ts'
import { share, type ServeTask } from './task.ts'
import type { FaultRecord } from './threads/fault-feed.ts'
import { startThreads } from './threads/start.ts'

/**
 * The options of serve().
 * @interface
 */
export type ServeOptions = OptionsOf<typeof serveOptions> & {
  /**
   * A script: which faults are in force when. While no step is in force, `faults` are (none by
   * default).
   */
  faultScript?: FaultScript | undefined
  /** Called when a step of the script comes into force. */
  onFaultStep?: OnStep | undefined
  /**
   * Called with what the faults did, in order for each connection, at most some 10 ms later. It has
   * been called with all of them before `closed` resolves. `lost` counts what was dropped because
   * this thread was busy.
   */
  onFaults?: ((records: readonly FaultRecord[], lost: number) => void) | undefined
}

type Wanted = ResolvedOf<typeof serveOptions> & { web: WebRules; datagrams: DatagramRules }

export interface Server extends AsyncDisposable {
  /** The address on which the server listens, with the port that the system gave. */
  readonly address: Address
  /** The same as a string, for example `tcp://127.0.0.1:7007`. */
  readonly url: string
  readonly engine: EngineName
  /** How many clients are served at the same time, over all threads; Infinity: no limit. */
  readonly concurrency: number
  /**
   * The SHA-256 fingerprint of its certificate, if it has one, in lower-case hexadecimal: the value
   * for `pin`.
   */
  readonly fingerprint: string | undefined
  /** Whether that certificate was made at start, so that no client knows it yet. */
  readonly madeCertificate: boolean
  /**
   * The faults in force; undefined if the server cannot have faults, so that setFaults() cannot be
   * called.
   */
  readonly faults: readonly FaultSpec[] | undefined
  /** Sentences about differences from what was asked for, with reasons. */
  readonly notes: readonly string[]
  /** What happened so far. */
  snapshot(): Snapshot
  /** Only the counters of a snapshot, which cost next to nothing. */
  counts(): Counts
  /** The connections, a ledger for each thread; empty where there is none. */
  readonly ledgers: readonly Ledger[]
  /**
   * Sets other faults from now on, for new and for open connections: bytes that old faults held
   * back are sent, and clients that hung are answered. Resolves when the new faults are in force.
   * @throws UserError if they make no sense, or the server was started without `faults`
   */
  setFaults(faults: readonly FaultSpec[]): Promise<void>
  /**
   * Stops accepting, echoes what was received, sends FIN, and waits up to `drainMs` for the clients
   * to close. With `now` it ends at once. A second call may shorten the wait.
   */
  close(how?: 'drain' | 'now'): Promise<void>
  /** Resolves when it has ended, for whatever reason; rejects on a defect of yodel. */
  readonly closed: Promise<void>
}

/**
 * Starts an echo server and resolves once it accepts.
 * @throws UserError if the server cannot listen at the address, or an option makes no sense
 */
export async function serve(
  address: string | Address,
  { onFaults, faultScript, onFaultStep, ...options }: ServeOptions = {},
): Promise<Server> {
  validateOptions(serveOptions, options)
  const wanted: Wanted = {
    ...resolve(serveOptions, options),
    web: resolve(webOptions, options.web ?? {}),
    datagrams: resolve(datagramOptions, options.datagrams ?? {}),
  }
  const wantedAddress = toOwnAddress(address)
  check(wanted, wantedAddress)
  checkTransport(askedFor(serveOptions, options), wantedAddress.transport, 'server')
  const faults = wanted.faults ?? []
  if (faultScript) {
    checkScript(faultScript, wantedAddress)
    wanted.faults = stepAt(faultScript, 0)?.faults ?? faults
  }
  if (options.concurrency === undefined && wanted.engine === 'blocking')
    wanted.concurrency = poolSize()
  const { tasks, notes } = tasksOf(wantedAddress, wanted, onFaults !== undefined)
  const threads = await startThreads(tasks, onFaults)
  let present = tasks[0].faults
  const setFaults = async (wanted: readonly FaultSpec[]) => {
    await threads.setFaults(wanted)
    present = wanted
  }
  const stopPlaying = play(
    faultScript ?? [],
    step => setFaults(step?.faults ?? faults),
    onFaultStep ?? (() => {}),
  )
  const closed = threads.finished.then(() => {}).finally(stopPlaying)
  const close = (how: 'drain' | 'now' = 'drain') => {
    stopPlaying()
    threads.stop(how)
    return closed
  }
  return {
    address: threads.address,
    url: formatAddress(threads.address),
    engine: tasks[0].engine,
    concurrency: wanted.concurrency,
    fingerprint: tasks[0].tls && fingerprintOf(tasks[0].tls.cert),
    madeCertificate: tasks[0].tls !== undefined && wanted.tls?.cert === undefined,
    get faults() {
      return present
    },
    notes,
    snapshot: threads.snapshot,
    counts: threads.counts,
    ledgers: tasks.flatMap(({ ledger }) => (ledger ? [new Ledger(ledger)] : [])),
    async setFaults(wanted) {
      checkFaults(wanted, threads.address)
      if (!present)
        throw usageError('This server has no faults to change.', 'Start it with `faults: []`.')
      await setFaults(wanted)
    },
    close,
    closed,
    [Symbol.asyncDispose]: () => close(),
  }
}

/** Servers of one process know of each other, so that no two of them echo each other for ever. */
const udpPorts = new Uint16Array(new SharedArrayBuffer(65_536 * Uint16Array.BYTES_PER_ELEMENT))

/** As many threads as the standard pool of Python has (concurrent.futures, since 3.8). */
export const poolSize = () => Math.min(32, availableParallelism() + 4)

/** Checks options together. (The table of options, options/serve, checks each value by itself.) */
function check({ faults = [], web, reply, directions }: Wanted, address: Address) {
  const wrong = web.origins?.find(origin => origin !== 'null' && originOf(origin) !== origin)
  if (wrong !== undefined)
    throw usageError(`'${wrong}' is not an origin.`, 'Write for example https://example.com.')
  checkFaults(faults, address)
  if (reply === 'echo') return
  if (faults.length > 0) throw usageError(`Faults act on an echo, not on ${reply}.`)
  if (directions)
    throw usageError(`Directions can be served together with an echo, not with ${reply}.`)
}

/** An origin in the form that a browser writes (RFC 6454 section 6.2). */
function originOf(url: string): string | undefined {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  return parsed && `${parsed.protocol}//${parsed.host}`
}

/** The engine, and each thread's share of the clients. */
function tasksOf(address: Address, options: Wanted, recordFaults: boolean) {
  const { engine: wantedEngine, threads, ledger: wantsLedger, faultsLater, ...rest } = options
  const { mode = 'off', from = defaultsOf(proxyOptions).from } = options.proxy ?? {}
  const { concurrency, oneOff, seed } = options
  const notes: string[] = []
  const task: ServeTask = {
    kind: 'serve',
    engine: 'node',
    address,
    sharePort: false,
    recordFaults,
    udpPorts,
    sessionRates: new BigInt64Array(new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT)),
    ...rest,
    tls: identityFor(address, options.tls),
    proxy: mode === 'off' ? undefined : { mode, from },
    ledger: undefined,
  }
  const asked = askedFor(serveOptions, options)
  const { engine, reason } = chooseEngine(wantedEngine, task, asked)
  if (reason !== undefined) notes.push(`The ${engine} engine serves. ${reason}`)
  if (faultsLater && isForEngine(serveOptions.faults, engine)) task.faults ??= []
  const invalid = task.tls && invalidToday(task.tls)
  if (invalid !== undefined) notes.push(invalid)
  const listed = wantsLedger && engineCan(engine, 'ledger')
  if (wantsLedger && !listed)
    notes.push(`The ${engine} engine counts its clients, but cannot list them.`)
  // If a thread could serve no client, clients in its part of the backlog would wait for ever.
  let count = oneOff ? 1 : Math.min(threads, concurrency)
  if (count > 1) {
    try {
      chooseEngine(engine, { ...task, sharePort: true }, asked)
    } catch (error) {
      notes.push(`One thread instead of ${count}: ${(error as Error).message}`)
      count = 1
    }
  }
  const taskOf = (n: number): ServeTask => ({
    ...task,
    engine,
    sharePort: count > 1,
    concurrency: share(concurrency, count, n),
    // Each thread counts its own connections, so the seed is what makes their faults differ.
    seed: seed + n,
    ledger: listed ? new Ledger().memory : undefined,
  })
  const others = Array.from({ length: count - 1 }, (_, n) => taskOf(n + 1))
  return { tasks: [taskOf(0), ...others] as [ServeTask, ...ServeTask[]], notes }
}
