/** The measured servers: yodel's engines, and echo servers in other languages as controls. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** Sources of the controls, and the folder in which everything is built. */
export const controlsFolder = fileURLToPath(new URL('../../benchmarks/controls/', import.meta.url))
export const builtFolder = fileURLToPath(new URL('../controls/', import.meta.url))
const yodelPath = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

export interface Contestant {
  name: string
  /** Programs without which it is left out. */
  needs: string[]
  /** Ways to build it; the first that works is enough. */
  build?: string[][]
  /**
   * The server; it gets the port as its last argument, with TLS behind the files of certificate and
   * key, and prints `listening on ...`.
   */
  run: string[]
  /** Prints the version of what it was built with. */
  version: string[]
  /** The transport on which it echoes; tcp by default. */
  transports?: readonly Measured[]
}

/** The transports that are measured. */
export type Measured = 'tcp' | 'udp' | 'tls' | 'ws' | 'wss' | 'http'

const tcp: readonly Measured[] = ['tcp']
const udp: readonly Measured[] = ['udp']
const tls: readonly Measured[] = ['tls']
const ws: readonly Measured[] = ['ws']
const http: readonly Measured[] = ['http']
/** The certificate and the key of all servers with TLS, ECDSA on P-256. */
const identityFolder = fileURLToPath(new URL('../../test/peers/tls/', import.meta.url))
const [cert, key] = [`${identityFolder}server.pem`, `${identityFolder}server.key`]
const nodeVersion = [process.execPath, '--version']
const yodelAt = (path: string, ...flags: string[]): Contestant => ({
  name: ['yodel', ...flags.map(flag => flag.replace(/^--(engine=)?/, ''))].join(' '),
  needs: [],
  run: [process.execPath, path, 'serve', ...flags],
  version: nodeVersion,
  // The ring has no HTTP.
  transports: ['tcp', 'udp', 'tls', 'ws', 'wss', ...(flags.includes('--engine=node') ? http : [])],
})
const yodel = (...flags: string[]) => yodelAt(yodelPath, ...flags)
const plainNode = (name: string, transports = tcp): Contestant => ({
  name: `node ${name}`,
  needs: [],
  run: [process.execPath, `node/${name}.mjs`],
  version: nodeVersion,
  transports,
})
const python = (name: string): Contestant => ({
  name: `python ${name}`,
  needs: ['python3'],
  run: ['python3', `python/${name}.py`],
  version: ['python3', '--version'],
  transports: tcp,
})
const c = (name: string, transports = tcp, libraries: string[] = []): Contestant => ({
  name: `c ${name}`,
  needs: ['cc'],
  build: [['cc', '-O2', '-o', `${builtFolder}${name}`, `c/${name}.c`, ...libraries]],
  run: [`${builtFolder}${name}`],
  version: ['cc', '--version'],
  transports,
})
/** On one processor its scheduler uses one thread, as the others do. */
const go: Contestant = {
  name: 'go',
  needs: ['go'],
  build: [['go', 'build', '-o', `${builtFolder}echo-go`, 'go/main.go']],
  run: [`${builtFolder}echo-go`],
  version: ['go', 'version'],
  transports: tcp,
}

const cargo = ['cargo', 'build', '--quiet', '--release', '--manifest-path', 'rust-tokio/Cargo.toml']
const cargoTarget = ['--target-dir', `${builtFolder}tokio`]
/** Debian's packaged crates (librust-tokio-dev), for machines that cannot reach crates.io. */
const packagedCrates = [
  ['--offline', '--config', 'source.crates-io.replace-with="debian"'],
  ['--config', 'source.debian.directory="/usr/share/cargo/registry"'],
].flat()

const tokio: Contestant = {
  name: 'tokio',
  needs: ['cargo'],
  build: [
    [...cargo, ...cargoTarget, ...packagedCrates],
    [...cargo, ...cargoTarget],
  ],
  run: [`${builtFolder}tokio/release/echo-tokio`],
  version: ['rustc', '--version'],
  transports: tcp,
}
/** The binary itself; the package `bun` would fetch it by an install script. */
const bunPackage = '@oven/bun-linux-x64@1.4.5'
const bunPath = `${builtFolder}bun/node_modules/@oven/bun-linux-x64/bin/bun`
const bun = (name: string, script: string, transports = tcp): Contestant => ({
  name,
  needs: ['npm'],
  build: [['npm', 'install', '--prefix', `${builtFolder}bun`, '--ignore-scripts', bunPackage]],
  run: [bunPath, `bun/${script}.ts`],
  version: [bunPath, '--version'],
  transports,
})

export const contestants: Contestant[] = [
  c('epoll'),
  c('epoll-splice'),
  c('spin'),
  tokio,
  go,
  bun('bun', 'server'),
  plainNode('data-write'),
  plainNode('pipe'),
  python('threads'),
  python('asyncio_protocol'),
  c('udp', udp),
  bun('bun udp', 'udp', udp),
  plainNode('dgram', udp),
  c('tls', tls, ['-lssl', '-lcrypto']),
  bun('bun tls', 'tls', tls),
  plainNode('tls', tls),
  bun('bun ws', 'ws', ws),
  plainNode('ws', ws),
  bun('bun http', 'http', http),
  plainNode('http', http),
  yodel('--engine=uring'),
  yodel('--engine=uring', '--busy-poll=50us'),
  yodel('--engine=node'),
]

/** The engines of another copy of yodel, which is built already: one commit against another. */
export const beside = (folder: string): Contestant[] =>
  ['uring', 'node'].map(engine => {
    const other = yodelAt(resolve(folder, 'dist/cli/main.js'), `--engine=${engine}`)
    return { ...other, name: `${other.name} in ${basename(folder)}` }
  })

/** Builds it if need be. The version it runs on, or why it is left out. */
export function prepare({ needs, build = [], version }: Contestant): { version: string } | string {
  for (const program of needs)
    if (spawnSync('which', [program]).status !== 0) return `${program} is not installed`
  mkdirSync(builtFolder, { recursive: true })
  const failures: string[] = []
  for (const [command, ...args] of build) {
    const { status, stderr } = spawnSync(command!, args, { cwd: controlsFolder })
    if (status === 0) failures.length = 0
    else failures.push(`${command} failed: ${stderr?.toString().trim().split('\n').at(-1)}`)
    if (status === 0) break
  }
  if (failures.length > 0) return failures[0]!
  const told = spawnSync(version[0]!, version.slice(1), { cwd: controlsFolder })
  if (told.error) return `${version[0]} does not start: ${told.error.message}`
  return { version: told.stdout.toString().split('\n')[0]! }
}

export interface Running {
  pid: number
  port: number
  stop(): Promise<void>
}

const hasTaskset = spawnSync('which', ['taskset']).status === 0

/** Wraps a command so that it runs on one processor only, where that can be had. */
export const pinned = (processor: number, command: string[]): string[] =>
  hasTaskset ? ['taskset', '-c', String(processor), ...command] : command

/** Starts a contestant on a free port of the loopback; on processor 0, unless `anywhere`. */
export async function startContestant(
  contestant: Contestant,
  { anywhere = false, scheme = '' } = {},
): Promise<Running> {
  // yodel takes an address; `:0` is one, and the others would not read it.
  const isYodel = contestant.name.startsWith('yodel')
  const port = isYodel ? `${scheme}:0` : '0'
  const identity = isYodel ? ['--cert', cert, '--key', key] : [cert, key]
  const flags = scheme === 'tls://' || scheme === 'wss://' ? identity : []
  const line = [...contestant.run, ...flags, port]
  const [command, ...args] = anywhere ? line : pinned(0, line)
  const child = spawn(command!, args, {
    cwd: controlsFolder,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  return { pid: child.pid!, port: await portOf(child, contestant.name), stop }
}

async function portOf(child: ChildProcess, name: string): Promise<number> {
  for await (const line of createInterface(child.stdout!)) {
    const port = /listening on (?:\S*:)?(\d+)$/.exec(line)?.[1]
    if (port !== undefined) return Number(port)
  }
  throw new Error(`${name} ended before it was listening`)
}
