/** Starts real programs and waits for what they say. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../', import.meta.url))
/** Where `import()` finds a file of the package, on Windows too. */
export const built = (path: string): string => new URL(`../../dist/${path}`, import.meta.url).href
export const yodelPath = `${root}dist/cli/main.js`

export interface Finished {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: Buffer
  stderr: string
}

interface Where {
  /** Whether its own children may outlive it, and have to be ended with it. */
  forks?: boolean
  cwd?: string
  /** Variables besides those of this process. */
  env?: NodeJS.ProcessEnv
}

export class Program implements AsyncDisposable {
  readonly child: ChildProcess
  readonly finished: Promise<Finished>
  readonly #stdout: Buffer[] = []
  #stderr = ''

  readonly #forks: boolean

  /** @param input for stdin; 'open' keeps it open to be written to, 'ignore' gives none */
  constructor(
    command: string,
    args: string[],
    input: Buffer | string,
    { forks = false, cwd = root, env: more = {} }: Where = {},
  ) {
    const stdin = input === 'ignore' ? 'ignore' : 'pipe'
    this.#forks = forks
    const stdio = [stdin, 'pipe', 'pipe'] as const
    // Where a terminal is, the test runner asks its files for colour.
    const env = { ...process.env, FORCE_COLOR: undefined, NO_COLOR: undefined, ...more }
    this.child = spawn(command, args, { stdio: [...stdio], cwd, env, detached: forks })
    this.child.stdout!.on('data', (chunk: Buffer) => this.#stdout.push(chunk))
    this.child.stderr!.on('data', (chunk: Buffer) => (this.#stderr += chunk.toString()))
    this.child.stdin?.on('error', () => {})
    if (input !== 'ignore' && input !== 'open') this.child.stdin!.end(input)
    this.finished = once(this.child, 'close').then(([code, signal]) => ({
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
      stdout: Buffer.concat(this.#stdout),
      stderr: this.#stderr,
    }))
  }

  /** Resolves with the first match in what was printed to stdout or stderr so far, or later. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(Buffer.concat(this.#stdout).toString() + this.#stderr)
      if (found) return found
      const heard = new AbortController()
      const more = [this.child.stdout!, this.child.stderr!].map(stream =>
        once(stream, 'data', { signal: heard.signal }),
      )
      const ended = this.finished.then(({ code, stderr }) => {
        throw new Error(`ended with ${code} before it said ${String(pattern)}: ${stderr}`)
      })
      await Promise.race([...more, ended]).finally(() => heard.abort())
    }
  }

  kill(signal: NodeJS.Signals = 'SIGTERM'): void {
    this.child.kill(signal)
  }

  /** Kills it, and all of its group if it forks. */
  endNow(): void {
    if (this.#forks) endGroup(this.child.pid)
    this.kill('SIGKILL')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = this.child.exitCode ?? this.child.signalCode
    const exit = exited === null && this.child.pid ? once(this.child, 'exit') : undefined
    this.endNow()
    await exit
    // Its children may hold the pipes open for as long as they like.
    this.child.stdout!.destroy()
    this.child.stderr!.destroy()
    await this.finished
  }
}

function endGroup(leader: number | undefined) {
  if (leader === undefined) return
  try {
    process.kill(-leader, 'SIGKILL')
  } catch {
    // None of it is left.
  }
}

/** The yodel program with these arguments; for `input` see Program. */
export const yodel = (args: string[], input: Buffer | string = 'ignore') =>
  new Program(process.execPath, [yodelPath, ...args], input)

/** A yodel server on a free port of the loopback (or where `args` say), once it listens. */
export async function yodelServe(...args: string[]): Promise<{ program: Program; url: string }> {
  const program = yodel(['serve', ...(args.some(isAddress) ? [] : [':0']), ...args])
  const [, url] = await program
    .says(/listening on (\S+)|"listening","address":"([^"]+)/)
    .then(([all, plain, json]) => [all, plain ?? json])
  return { program, url: url! }
}

const isAddress = (arg: string) => arg.startsWith('unix:') || arg.includes('://')

export const portOf = (url: string): number => Number(url.slice(url.lastIndexOf(':') + 1))

/** Memory that a process has in RAM, or had at most so far, in bytes (proc_pid_status(5)). */
export function memoryOf(pid: number, field: 'VmRSS' | 'VmHWM' = 'VmRSS'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)![1]) * 1024
}

/** Why a test that needs this program is skipped; false if it is there. */
export function missing(command: string): string | false {
  const { error } = spawnSync(command, ['--version'])
  return error ? `${command} is not installed` : false
}
