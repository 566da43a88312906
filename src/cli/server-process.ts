/** `yodel serve` as a process of its own, so that the system has a separate account of it. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { UserError } from '../vocabulary/errors.ts'

/** A server that does not leave by itself in this time is killed. */
const patienceMs = 2_000

// The compiler changes the extension of imports, but not of this URL. So the URL has the extension
// of this file.
const mainPath = fileURLToPath(new URL(`./main${extname(import.meta.url)}`, import.meta.url))

export class ServerProcess implements AsyncDisposable {
  readonly url: string
  /** The time from the start of the server to its ready line. */
  readonly startMs: number
  readonly #child: ChildProcess
  readonly #kill: () => void

  private constructor(child: ChildProcess, kill: () => void, url: string, startMs: number) {
    this.#child = child
    this.#kill = kill
    this.url = url
    this.startMs = startMs
  }

  /**
   * Starts a server on a free port of the loopback; resolves once it accepts.
   * @throws UserError with the last line of its stderr if it does not start
   */
  static async start(flags: string[]): Promise<ServerProcess> {
    const startedMs = performance.now()
    const child = spawn(process.execPath, [mainPath, 'serve', ':0', '--json', ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const kill = () => void child.kill('SIGKILL')
    // However this process ends, it leaves no server behind.
    process.once('exit', kill)
    child.once('exit', () => process.off('exit', kill))
    let stderr = ''
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    for await (const line of createInterface(child.stdout)) {
      const { address } = JSON.parse(line) as { address: string }
      return new ServerProcess(child, kill, address, performance.now() - startedMs)
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'close')
    const said = stderr.trim().split('\n').at(-1) || 'The server ended and printed nothing.'
    // The hint is left out: it is for a user who chose the engine, and here the comparison chose
    // it.
    const reason = said
      .replace(/^yodel: /, '')
      .replace(/ Try `--engine auto`, which takes \w+\.$/, '')
    throw new UserError('usage', reason)
  }

  /** The processor time of all threads of the server so far (proc_pid_schedstat(5)). */
  cpuNs(): number | undefined {
    return fromProc(() => {
      const folder = `/proc/${this.#child.pid}/task`
      const times = readdirSync(folder).map(
        // The thread may have ended meanwhile.
        task => fromProc(() => readFileSync(`${folder}/${task}/schedstat`, 'utf8')) ?? '0',
      )
      const sum = times.reduce((sum, line) => sum + Number(line.split(' ')[0]), 0)
      return sum > 0 ? sum : undefined
    })
  }

  /** The memory that the server shares with no other process (proc_pid_smaps(5)). */
  privateBytes(): number | undefined {
    return fromProc(() => {
      const rollup = readFileSync(`/proc/${this.#child.pid}/smaps_rollup`, 'utf8')
      const kilobytes = [...rollup.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB/gm)]
      return kilobytes.reduce((sum, match) => sum + Number(match[1]) * 1024, 0)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#child
    if (child.exitCode !== null || child.signalCode !== null) return
    const timer = setTimeout(this.#kill, patienceMs)
    child.kill('SIGTERM')
    await once(child, 'exit')
    clearTimeout(timer)
  }
}

/**
 * What a file of /proc says; undefined if there is no such file: another system, another kernel, no
 * permission.
 */
function fromProc<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
