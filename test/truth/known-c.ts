/** The known server (known.c) and the control (reader.c) in C, where there is a compiler. */
import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from '../program.ts'
import type { Known } from './behaviour.ts'
import type { Framing } from './framings.ts'
import type { Peer, Trial } from './trial.ts'
import { cannotCapture } from './witness.ts'

let binaries: string | undefined

/** Why there is none; false if there is. It keeps no log, so it needs the wire as its witness. */
export function cannotCompile(): string | false {
  if (cannotCapture) return cannotCapture
  if (binaries) return false
  const folder = mkdtempSync(join(tmpdir(), 'yodel-'))
  process.once('exit', () => rmSync(folder, { recursive: true }))
  for (const name of ['known', 'reader']) {
    const files = ['-o', join(folder, name), `${root}test/truth/${name}.c`, '-lm']
    const { error, status, stderr } = spawnSync('cc', ['-O2', '-Wall', '-Werror', ...files])
    if (error) return 'there is no C compiler'
    if (status !== 0) throw new Error(stderr.toString())
  }
  binaries = folder
  return false
}

/** As known.c reads it: the kind, then its numbers in microseconds or counts. */
function argumentsOf(known: Known): [kind: string, ...numbers: number[]] {
  switch (known.kind) {
    case 'fixed':
      return ['fixed', known.delayMs * 1e3]
    case 'spread':
      return ['spread', known.leastMs * 1e3, known.mostMs * 1e3]
    case 'bimodal':
      return ['bimodal', known.delayMs * 1e3, known.slowMs * 1e3, known.every]
    case 'paused':
      return ['paused', known.everyMs * 1e3, known.forMs * 1e3]
    case 'queue':
      return ['queue', known.serviceMs * 1e3]
    case 'straggler':
      return ['straggler', known.othersMs * 1e3, known.delayMs * 1e3, known.nth]
    case 'dies':
      return ['dies', known.delayMs * 1e3, known.after]
    case 'lossy':
      throw new Error('known.c speaks TCP, and a stream does not lose messages.')
    default:
      known satisfies never
      throw new Error('argumentsOf() has no case for it; due() in known.c needs one, too.')
  }
}

export async function startCompiled(known: Known, { sizeBytes }: Framing): Promise<Peer> {
  const args = [sizeBytes, ...argumentsOf(known)].map(String)
  const child = spawn(join(binaries!, 'known'), args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const port = Number(/^listening on (\d+)/.exec(line.toString())![1])
  return {
    url: `tcp://127.0.0.1:${port}`,
    port,
    pids: [child.pid!],
    log: () => Promise.reject(new Error('It keeps no log.')),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

/** What reader.c saw of a load, in nanoseconds: a row for each message of the window. */
export async function readCompiled(
  port: number,
  sizeBytes: number,
  load: Trial['load'],
): Promise<{ plannedNs: number; sentNs: number; cameNs: number }[]> {
  const { connections, depth = 1, ratePerSecond = 0, arrivals = 'even' } = load
  const times = [load.warmupMs, load.durationMs, load.timeoutMs ?? 2_000]
  const args = [port, sizeBytes, connections, depth, ratePerSecond, arrivals, ...times]
  const options = { maxBuffer: Infinity }
  const reader = join(binaries!, 'reader')
  const { stdout } = await promisify(execFile)(reader, args.map(String), options)
  return stdout
    .trimEnd()
    .split('\n')
    .map(line => line.split(' ').map(Number))
    .map(([plannedNs, sentNs, cameNs]) => ({
      plannedNs: plannedNs!,
      sentNs: sentNs!,
      cameNs: cameNs!,
    }))
}
