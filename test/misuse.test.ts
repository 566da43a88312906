/** Each misuse of each transport, on each engine: no descriptor is left behind. */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readlinkSync } from 'node:fs'
import type { NetConnectOpts } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { serve, type Address, type ServeOptions, type Server } from 'yodel'
import { misuseNames, misuses, type Misuses, type Parting } from '../benchmarks/misuse.ts'
import { until } from './client.ts'
import { full, onlyFull, short } from './full.ts'
import { refusal } from './refusal.ts'

/** A hang is a failure. */
const timeout = 60_000
const rounds = short(60, 3)
const skip = process.platform !== 'linux' && 'reads /proc, which only Linux has'

/** Sockets, since a thread has descriptors of its own, and the pool of threads grows. */
const descriptors = () => readdirSync('/proc/self/fd').filter(isSocket).length
function isSocket(fd: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:')
  } catch {
    // The one that the folder was read through.
    return false
  }
}

const engines: Record<Server['engine'], readonly Address['transport'][]> = {
  node: ['tcp', 'unix', 'tls', 'ws', 'wss', 'http', 'https'],
  uring: ['tcp', 'unix', 'tls', 'ws', 'wss'],
  blocking: ['tcp', 'unix'],
}

/**
 * Settings of a server, and how clients leave it. A server that hangs answers nothing, so it learns
 * of a client that closes only when the system gives the connection up (see docs/faults.md).
 */
const settings: Record<string, { options: ServeOptions; partings: readonly Parting[] }> = {
  'as it comes': { options: {}, partings: ['closes', 'resets', 'stays'] },
  watched: { options: { faults: [] }, partings: ['closes', 'resets', 'stays'] },
  'that hangs': { options: { faults: [{ kind: 'hang' }] }, partings: ['resets'] },
}

/** Each transport once a day; wss and https are two of the others together. */
const shown: Record<Server['engine'], readonly string[]> = {
  node: ['tls as it comes', 'ws watched', 'http as it comes'],
  uring: ['tcp as it comes', 'ws as it comes'],
  blocking: [],
}

for (const [engine, transports] of Object.entries(engines)) {
  const refused = skip || refusal(engine as Server['engine'])
  for (const transport of transports)
    for (const [setting, { options, partings }] of Object.entries(settings)) {
      if (engine !== 'node' && setting !== 'as it comes') continue
      const all = { engine: engine as Server['engine'], ...options }
      // Which bytes come matters neither to a system call nor to the connection that is watched.
      const isShown = shown[engine as Server['engine']].includes(`${transport} ${setting}`)
      const name = `${transport}, ${engine} ${setting}`
      describe(name, { skip: refused || (!isShown && onlyFull), timeout }, () => {
        misused(transport, all, partings)
      })
    }
}

function misused(transport: Address['transport'], options: ServeOptions, ways: readonly Parting[]) {
  const host = transport === 'unix' ? join(mkdtempSync(join(tmpdir(), 'yodel-')), 's') : ''
  let server: Server
  before(async () => {
    const url = host === '' ? `${transport}://127.0.0.1:0` : `unix:${host}`
    server = await serve(url, { handshakeTimeoutMs: 400, ...options })
  })
  after(() => server.close('now'))
  const each = Object.entries(misuses[transport]).flatMap(([spoken, row]) =>
    misuseNames.flatMap(name => {
      const misuse = row[name]
      return typeof misuse === 'string' ? [] : [{ name: `${spoken}: ${name}`, misuse }]
    }),
  )
  const play = (all: typeof each) => leavesNothing(server, all, ways)
  // Which one leaves something behind is seen one by one; that one does, also together.
  if (full) for (const one of each) test(one.name, () => play([one]))
  else test(each.map(({ name }) => name).join(', '), () => play(each))
}

interface Played {
  misuse: Exclude<Misuses[keyof Misuses], string>
}

async function leavesNothing(server: Server, all: Played[], ways: readonly Parting[]) {
  const where = server.address as NetConnectOpts
  const play = async (times: number) => {
    const clients = Array.from({ length: times }, (_, n) =>
      all.map(({ misuse }) => misuse(where, ways[n % ways.length]!)),
    )
    await Promise.all(clients.flat())
    await until(() => server.counts().open === 0)
  }
  // What is loaded and opened once, for the first client of its kind.
  await play(1)
  const atFirst = descriptors()
  await play(rounds)
  await until(() => descriptors() <= atFirst)
  assert.equal(server.snapshot().waiting, 0)
}
