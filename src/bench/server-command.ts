/**
 * A server that a command starts for one run, in a process group of its own, which ends with the
 * run.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { formatAddress, type Address } from '../vocabulary/address.ts'
import { connect, type ConnectOptions } from '../connect.ts'
import { UserError, usageError } from '../vocabulary/errors.ts'
import { isDatagrams } from '../vocabulary/transport.ts'
import { printable } from '../vocabulary/text.ts'

/** A process that has not exited after this time is killed. */
const patienceMs = 2_000
const lookMs = 20
/** The time limit of one attempt to reach the server, which may not listen yet. */
const attemptMs = 500
const datagramMs = 100
/** How much of the end of the server's stderr is kept. */
const keptCharacters = 4_096
const shownLines = 3

export class ServerCommand implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #command: string
  readonly #kill: () => void
  #stderr = ''

  private constructor(command: string) {
    this.#command = command
    const options = { shell: true, detached: process.platform !== 'win32' }
    this.#child = spawn(command, { ...options, stdio: ['ignore', 'ignore', 'pipe'] })
    this.#child.on('error', error => (this.#stderr += error.message))
    this.#child.stderr!.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString()).slice(-keptCharacters)
    })
    this.#kill = () => this.#signal('SIGKILL')
    // However this process ends, it leaves no server behind.
    process.once('exit', this.#kill)
  }

  /**
   * Starts the command; resolves once its server accepts.
   * @throws UserError if another server accepts at the address already, or if this one does not
   * accept within the time
   */
  static async start(
    command: string,
    address: Address,
    options: ConnectOptions & { timeoutMs: number },
    signal: AbortSignal,
  ): Promise<ServerCommand> {
    if ((await reach(address, options)) === undefined)
      throw usageError(
        `Something serves ${formatAddress(address)} already, before '${command}' was started.`,
        'End it, or choose another port.',
      )
    signal.throwIfAborted()
    const server = new ServerCommand(command)
    try {
      await server.#accepts(address, options, signal)
      return server
    } catch (error) {
      await server[Symbol.asyncDispose]()
      throw error
    }
  }

  async #accepts(
    address: Address,
    options: ConnectOptions & { timeoutMs: number },
    signal: AbortSignal,
  ): Promise<void> {
    const endMs = performance.now() + options.timeoutMs
    for (;;) {
      this.check()
      const reason = await reach(address, options)
      signal.throwIfAborted()
      if (reason === undefined) return
      if (performance.now() > endMs)
        throw new UserError(
          'network',
          `'${this.#command}' did not accept in ${options.timeoutMs / 1e3} s: ${reason}`,
          this.#said,
        )
      await sleep(lookMs, undefined, { signal })
    }
  }

  /** @throws UserError if the server has ended by itself */
  check(): void {
    const { exitCode, signalCode } = this.#child
    if (this.#isRunning) return
    const how = signalCode ?? (exitCode === null ? 'an error' : `exit code ${exitCode}`)
    throw new UserError(
      'network',
      `'${this.#command}' ended by itself with ${how}.`,
      this.#said || 'It wrote nothing to stderr.',
    )
  }

  get #isRunning(): boolean {
    const { exitCode, signalCode, pid } = this.#child
    return pid !== undefined && exitCode === null && signalCode === null
  }

  /** The end of its stderr, in one line. */
  get #said(): string {
    const said = this.#stderr.trim().split('\n').slice(-shownLines).join(' / ')
    return said === '' ? '' : `It said: ${printable(said)}${/[.!?]$/.test(said) ? '' : '.'}`
  }

  /** Signals every process of the group. False if none is left. */
  #signal(signal: NodeJS.Signals | 0): boolean {
    const { pid } = this.#child
    if (pid === undefined) return false
    try {
      return process.platform === 'win32'
        ? this.#isRunning && this.#child.kill(signal)
        : process.kill(-pid, signal)
    } catch {
      return false
    }
  }

  async #gone(withinMs: number): Promise<boolean> {
    const endMs = performance.now() + withinMs
    while (this.#isRunning || this.#signal(0)) {
      if (performance.now() > endMs) return false
      await sleep(lookMs)
    }
    return true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal('SIGTERM')
    if (!(await this.#gone(patienceMs))) {
      this.#kill()
      if (this.#isRunning) await once(this.#child, 'exit')
    }
    process.off('exit', this.#kill)
    this.#child.stderr!.destroy()
  }
}

/**
 * Why the server cannot be reached; undefined if it can. (With udp it has to answer a datagram.)
 */
async function reach(address: Address, options: ConnectOptions): Promise<string | undefined> {
  const timeoutMs = isDatagrams(address) ? datagramMs : attemptMs
  try {
    const connection = await connect(address, { ...options, timeoutMs })
    try {
      if (isDatagrams(address)) await connection.echo('yodel')
    } finally {
      await connection.close()
    }
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}
