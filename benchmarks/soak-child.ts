/** The server process under a soak, seen from itself and from the system. Linux. */
import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import type { NetConnectOpts } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Readable, Writable } from 'node:stream'
import type { ServeOptions, Snapshot } from 'yodel'

type Numbers = { [K in keyof Snapshot as Snapshot[K] extends number ? K : never]: number }
/** What a server counted, without the histograms. */
export type Counted = Numbers

interface Hello {
  url?: string
  notes?: string[]
  /** Why it does not serve. */
  refusal?: string
}

const answerMs = 10_000

export class SoakChild {
  readonly pid: number
  /** Undefined as long as it runs. */
  exit: string | undefined
  #where: NetConnectOpts = { port: 0 }
  #stderr = ''
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #lines: AsyncIterator<string>
  readonly #exited: Promise<unknown>

  /**
   * @param url what is served
   * @param descriptors the limit of them, hard and soft
   */
  constructor(path: string, url: string, options: ServeOptions, descriptors?: number) {
    const command = [process.execPath, '--expose-gc', path, JSON.stringify(options), url]
    // Node raises the soft limit to the hard one, so both must be low before it starts.
    const limit = descriptors === undefined ? '' : `ulimit -n ${descriptors} && `
    this.#child = spawn('sh', ['-c', `${limit}exec "$@"`, 'sh', ...command], {
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.pid = this.#child.pid!
    this.#child.stdin.on('error', () => {})
    this.#child.stderr.on('data', (chunk: Buffer) => (this.#stderr += chunk.toString()))
    this.#lines = createInterface(this.#child.stdout)[Symbol.asyncIterator]()
    this.#exited = once(this.#child, 'close').then(([code, signal]) => {
      this.exit = `it ended with ${code ?? signal}: ${this.#stderr.trim()}`
    })
  }

  async #line<T>(): Promise<T> {
    const tooLate = sleep(answerMs, undefined, { ref: false })
    const line = await Promise.race([this.#lines.next(), tooLate])
    if (line === undefined) throw new Error(`the server does not answer within ${answerMs} ms`)
    if (line.done) await this.#exited
    if (line.done) throw new Error(this.exit)
    return JSON.parse(line.value) as T
  }

  /** Resolves once it listens; with its reason if it refuses. */
  async hello(): Promise<string | undefined> {
    const { url = '', refusal } = await this.#line<Hello>()
    const path = /^unix:(.*)$/.exec(url)?.[1]
    const port = Number(/:(\d+)\/?$/.exec(url)?.[1])
    this.#where = path === undefined ? { host: '127.0.0.1', port } : { path }
    return refusal
  }

  /** Where it listens. */
  get where(): NetConnectOpts {
    return this.#where
  }

  /** What the server itself has counted. */
  ask(): Promise<Counted> {
    this.#child.stdin.write('\n')
    return this.#line<Counted>()
  }

  /** Takes its stdin away; it must leave by itself, with 0. What was wrong with that. */
  async leave(withinMs: number): Promise<string | undefined> {
    this.#child.stdin.end()
    await Promise.race([this.#exited, sleep(withinMs, undefined, { ref: false })])
    if (this.exit === undefined) return `it has not left after ${withinMs} ms`
    return this.#child.exitCode === 0 ? undefined : this.exit
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exited
  }

  /** Memory that only this process uses. */
  get privateBytes(): number {
    const rollup = readFileSync(`/proc/${this.pid}/smaps_rollup`, 'utf8')
    let sum = 0
    for (const [, kilobytes] of rollup.matchAll(/^Private_\w+: +(\d+) kB/gm))
      sum += Number(kilobytes)
    return sum * 1024
  }

  get descriptors(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length
  }

  /**
   * States of the system's sockets on the server's side that neither listen nor are done with. That
   * of datagrams has no connections.
   */
  get sockets(): string[] {
    const where = this.#where
    return 'path' in where ? unixSockets(where.path) : tcpSockets(where.port)
  }

  /** Sockets in the tables of io_uring, which are not among those of the process. */
  get directDescriptors(): number {
    const folder = `/proc/${this.pid}`
    return readdirSync(`${folder}/fd`)
      .filter(fd => readlinkSync(`${folder}/fd/${fd}`) === 'anon_inode:[io_uring]')
      .map(fd => readFileSync(`${folder}/fdinfo/${fd}`, 'utf8').match(/: socket:/g)?.length ?? 0)
      .reduce((sum, count) => sum + count, 0)
  }

  /** Processor time so far (utime and stime of proc_pid_stat(5), in ticks of 10 ms). */
  get cpuMs(): number {
    const stat = readFileSync(`/proc/${this.pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) * 10
  }
}

function tcpSockets(ownPort: number): string[] {
  const [timeWait, closed, listen] = ['06', '07', '0A']
  const port = ownPort.toString(16).toUpperCase().padStart(4, '0')
  // The table has every TIME_WAIT of the machine: one search, and no line is taken apart.
  const local = new RegExp(`: 0100007F:${port} [0-9A-F:]+ (..)`, 'g')
  const states = readFileSync('/proc/net/tcp', 'utf8').matchAll(local)
  const done = [timeWait, closed, listen]
  return [...states].map(([, state]) => state!).filter(state => !done.includes(state))
}

/** The same for a unix socket: each connection has its path, and so has the socket that listens. */
function unixSockets(path: string): string[] {
  const unconnected = '01'
  return readFileSync('/proc/net/unix', 'utf8')
    .split('\n')
    .filter(line => line.endsWith(` ${path}`))
    .map(line => line.trim().split(/\s+/)[5]!)
    .filter(state => state !== unconnected)
}

/** How many connections the system has reset since its start because TCP was out of memory. */
export function abortsForMemory(): number {
  const [names, values] = readFileSync('/proc/net/netstat', 'utf8')
    .split('\n')
    .map(line => line.split(' '))
  return Number(values![names!.indexOf('TCPAbortOnMemory')])
}
