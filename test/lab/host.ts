/** A host of a lab: what runs there, and what its packet filter does. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Program, yodelPath } from '../program.ts'
import { readCapture, type Packet } from '../truth/pcap.ts'

export interface Addresses {
  ip4: string
  ip6: string
}

/** Where rules of the packet filter can stand. */
const hooks = {
  forward: 'type filter hook forward priority filter',
  /** Before the tracking of connections sees it. */
  early: 'type filter hook prerouting priority raw',
  input: 'type filter hook input priority filter',
  output: 'type filter hook output priority filter',
  source: 'type nat hook postrouting priority srcnat',
} as const

export interface Served {
  program: Program
  url: string
  port: number
}

export interface Capture {
  /** Ends it; what has been on the link since it began, headers and payload. */
  finish(): Promise<Packet[]>
  /** Where tcpdump writes it, for programs that read it. */
  file: string
}

export class Host implements AsyncDisposable {
  readonly name: string
  readonly namespace: string
  /** By the name of the neighbour on that link. The interface is called to-NEIGHBOUR. */
  readonly addresses: ReadonlyMap<string, Addresses>
  readonly #programs: Program[] = []
  /** Removed with the host. */
  readonly folders: string[] = []

  constructor(name: string, namespace: string, addresses: ReadonlyMap<string, Addresses>) {
    this.name = name
    this.namespace = namespace
    this.addresses = addresses
  }

  /** Of its last link: in a chain that is the one farther from the beginning. */
  get ip4(): string {
    return [...this.addresses.values()].at(-1)!.ip4
  }

  get ip6(): string {
    return [...this.addresses.values()].at(-1)!.ip6
  }

  /** Runs a script of the shell there to its end. Rejects if a command of it fails. */
  async sh(script: string): Promise<string> {
    const command = ['netns', 'exec', this.namespace, 'sh', '-ec', script]
    return (await promisify(execFile)('ip', command)).stdout
  }

  /** Starts a program there, which ends with the lab, and if the test breaks off. */
  run(command: string, args: readonly string[], input: Buffer | string = 'ignore'): Program {
    const there = ['netns', 'exec', this.namespace, 'setpriv', '--pdeathsig', 'KILL']
    const program = new Program('ip', [...there, command, ...args], input)
    this.#programs.push(program)
    return program
  }

  yodel(args: readonly string[], input: Buffer | string = 'ignore'): Program {
    return this.run(process.execPath, [yodelPath, ...args], input)
  }

  /** A yodel server there, once it listens; on a free port of both families unless told where. */
  async serve(...args: string[]): Promise<Served> {
    const where = args.some(arg => arg.includes('://')) ? [] : ['tcp://[::]:0']
    const program = this.yodel(['serve', ...where, ...args])
    const [, address] = await program.says(/listening on (\S+)/)
    const [, scheme, port] = /^(\w+):.*:(\d+)$/.exec(address!)!
    const url = `${scheme}://${this.ip4}:${port}`
    return { program, url, port: Number(port) }
  }

  /** Adds rules to the packet filter: `nft(8)`, what follows `add rule inet lab CHAIN`. */
  async nft(hook: keyof typeof hooks, ...rules: string[]): Promise<void> {
    const lines = [
      'add table inet lab',
      `add chain inet lab ${hook} { ${hooks[hook]}; }`,
      ...rules.map(rule => `add rule inet lab ${hook} ${rule}`),
    ]
    await this.sh(`nft '${lines.join('; ')}'`)
  }

  /** Makes a counter for rules: `counter name "NAME"`. */
  async counter(name: string): Promise<void> {
    await this.sh(`nft 'add table inet lab; add counter inet lab ${name}'`)
  }

  /** How many packets a counter has seen. */
  async counted(name: string): Promise<number> {
    const said = await this.sh(`nft list counter inet lab ${name}`)
    return Number(/packets (\d+)/.exec(said)![1])
  }

  /** Sets values of the kernel, `sysctl(8)`, of this host alone: a/b/c or a.b.c. */
  async sysctl(values: Record<string, string | number>): Promise<void> {
    const lines = Object.entries(values).map(
      ([name, value]) => `echo ${value} >/proc/sys/${name.replaceAll('.', '/')}`,
    )
    await this.sh(lines.join('\n'))
  }

  /** Captures what passes on the link to a neighbour, once it does. */
  async capture(neighbour: string, filter = ''): Promise<Capture> {
    const folder = mkdtempSync(join(tmpdir(), 'yodel-lab-'))
    this.folders.push(folder)
    const file = join(folder, 'wire.pcap')
    const flags = ['-i', `to-${neighbour}`, '-n', '-s', '0', '-B', '32768', '-Z', 'root']
    const precision = ['--immediate-mode', '--time-stamp-precision=nano', '-U', '-w', file]
    const program = this.run('tcpdump', [...flags, ...precision, ...filter.split(' ')])
    await program.says(/listening on/)
    return {
      file,
      async finish() {
        // What has passed may still be on its way to the program.
        let bytes = -1
        for (let now = 0; now !== bytes; now = readFileSync(file).length) {
          bytes = now
          await sleep(100)
        }
        program.kill('SIGINT')
        await program.finished
        return readCapture(readFileSync(file))
      },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#programs.map(program => program[Symbol.asyncDispose]()))
    for (const folder of this.folders) rmSync(folder, { recursive: true, force: true })
  }
}
