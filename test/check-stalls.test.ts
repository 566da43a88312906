/** yodel check against what stalls: each question ends, and says only what it has seen. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { after, test } from 'node:test'
import { serve, type CheckResult, type QuestionResult } from 'yodel'
import type * as Held from '../src/checks/held-up.ts'
import type * as Questions from '../src/checks/question-table.ts'
import type * as Run from '../src/checks/run.ts'
import { full, onlyFull, short } from './full.ts'
import { badPath, type Join } from './peers/bad-path.ts'
import { peer } from './peers/datagrams.ts'
import { built, portOf } from './program.ts'

const { run } = (await import(built('checks/run.js'))) as typeof Run
const { heldUp } = (await import(built('checks/held-up.js'))) as typeof Held

/** Silences are short, so that those of all points take seconds. */
const limits = {
  thorough: false,
  silenceMs: 100,
  bytes: 2 ** 18,
  rowMs: 100,
  idleMs: 60,
  allMs: 20_000,
  maxConnections: 4,
}
type Transport = 'tcp' | 'tls' | 'ws' | 'http' | 'udp'

const open: AsyncDisposable[] = []
const servers = new Map<Transport, ReturnType<typeof serve>>()
const serverOf = (transport: Transport) => {
  if (!servers.has(transport))
    servers.set(transport, serve(`${transport}://127.0.0.1:0`, { engine: 'node' }))
  return servers.get(transport)!
}
after(async () => {
  for (const each of open.splice(0)) await each[Symbol.asyncDispose]()
  for (const server of servers.values()) await (await server).close('now')
})

/** What a stalled path does with what comes. */
const ways = {
  /** Takes it, and says nothing. */
  silent: () => {},
  /** Does not even read any more. */
  deaf: (front: Socket) => void front.pause(),
  /** Says something again and again, and nothing of use: no wait for a silence ends. */
  trickles: (front: Socket) => {
    const timer = setInterval(() => front.write('x'), 5)
    front.once('close', () => clearInterval(timer))
  },
}
type Way = keyof typeof ways

/** Works, and once it is armed, only for so many more pieces of whatever connection. */
class Gate {
  passes = Infinity
  swallowed = 0
  readonly #way: Way

  constructor(way: Way) {
    this.#way = way
  }

  readonly join: Join = (front, back) => {
    let isStalled = false
    const stalls = (bytes: number) => {
      if (--this.passes >= 0) return false
      this.swallowed += bytes
      if (!isStalled) ways[this.#way](front)
      return (isStalled = true)
    }
    front.on('data', (chunk: Buffer) => void (stalls(chunk.length) || back.write(chunk)))
    // The end of a connection that is closed need not be answered.
    front.on('end', () => void (stalls(0) || back.end()))
    back.on('data', (chunk: Buffer) => isStalled || front.write(chunk))
    back.on('end', () => isStalled || front.end())
  }
}

interface Asked {
  port: number
  questions: readonly Questions.QuestionName[]
  transport?: Transport
  onMode?: () => void
  onAnswer?: (result: QuestionResult) => void
}

const nothing = () => {}
function ask(asked: Asked, within = limits): Promise<CheckResult> {
  const { port, questions, transport = 'tcp', ...told } = asked
  const { onMode = nothing, onAnswer = nothing } = told
  const address = { transport, host: '127.0.0.1', port } as const
  const calling = transport === 'tls' ? { tls: { insecure: true } } : {}
  const rest = { control: undefined, expectations: [], limits: within }
  return run(
    { address, calling, questions, ...rest },
    { onMode, onAnswer },
    new AbortController().signal,
  )
}

/** A timer may be late by as much as this process was held up; closing takes a few turns. */
function assertEnds({ name, seconds, limitSeconds }: QuestionResult, lateMs: number): void {
  assert.ok(limitSeconds > 0, name)
  assert.ok(seconds <= 2 * limitSeconds + lateMs / 1e3, `${name}: ${seconds} of ${limitSeconds}`)
}

const isBare = new Set<Transport>(['tcp', 'udp'])

async function streams(gate: Gate, transport: Transport) {
  const path = await badPath(portOf((await serverOf(transport)).url), gate.join)
  return { port: portOf(path.url), [Symbol.asyncDispose]: () => path[Symbol.asyncDispose]() }
}

const datagrams = (gate: Gate) =>
  peer({}, (data, answer) => {
    if (--gate.passes >= 0) answer(data)
    else gate.swallowed += data.length
  })

async function stall(way: Way, passes: number, asked: Omit<Asked, 'port'>) {
  const gate = new Gate(way)
  const { transport = 'tcp' } = asked
  await using path = await (transport === 'udp' ? datagrams(gate) : streams(gate, transport))
  const late = heldUp()
  let before = 0
  const swallowed = new Map<string, number>()
  const result = await ask({
    ...asked,
    port: path.port,
    onMode: () => (gate.passes = passes),
    onAnswer: ({ name }) => {
      swallowed.set(name, gate.swallowed - before)
      before = gate.swallowed
    },
  })
  const lateMs = late()
  for (const question of result.questions) {
    assertEnds(question, lateMs)
    // What is spoken on top of bytes may do without an answer, as of a version that is not spoken.
    if (!isBare.has(transport) || swallowed.get(question.name) === 0) continue
    assert.notEqual(question.outcome, 'ok', `${way} ${passes}: ${JSON.stringify(question)}`)
  }
  return result
}

const byTransport: Record<Transport, Questions.QuestionName[][]> = {
  tcp: [['bytes'], ['half-close'], ['overload', 'latency'], ['sizes'], ['idle']],
  tls: [['tls']],
  ws: [['ws']],
  http: [['http'], ['sizes']],
  udp: [['udp'], ['sizes']],
}
const points = short([0, 1, 2, 3, 5, 8, 12, 20, 30, 45, 60, 90, 130], [3])
const daily = new Set(['bytes', 'overload, latency'])

for (const [transport, all] of Object.entries(byTransport) as [
  Transport,
  Questions.QuestionName[][],
][])
  for (const questions of all) {
    const name = questions.join(', ')
    const skip = !(transport === 'tcp' && daily.has(name)) && onlyFull
    test(`${transport}: a path that stalls at any point of ${name}`, { skip }, async () => {
      const chosen = full ? (Object.keys(ways) as Way[]) : (['silent', 'trickles'] as const)
      const asked = { transport, questions }
      // Each waits most of its time.
      if (full) for (const way of chosen) await Promise.all(points.map(at => stall(way, at, asked)))
      else await Promise.all(chosen.map(way => stall(way, points[0]!, asked)))
    })
  }

test('what was found is told, although the time is over before the end', async () => {
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.on('data', chunk => {
      if (chunk.includes(0)) ways.trickles(socket)
      else socket.write(chunk.toString('latin1').replaceAll('\n', '\r\n'), 'latin1')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const { verdict, questions } = await ask({ port, questions: ['bytes'] })
  const [{ outcome, findings, said }] = questions as [QuestionResult]
  assert.deepEqual([verdict, outcome, findings[0]!.name], ['fails', 'fails', 'changed'])
  assert.match(said, /^line ends: .*; it ran out of time \(.*\)$/)
  server.close()
})

test('a late echo is an echo; of sizes that there was no time for nothing is said', async () => {
  // Later than one first look waits.
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.on('data', chunk => setTimeout(() => socket.write(chunk), 500))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const few = { ...limits, allMs: 2_600 }
  const { verdict, questions } = await ask({ port, questions: ['sizes'] }, few)
  assert.deepEqual([verdict, questions[0]!.outcome], ['invalid', 'not asked'])
  const said = /it ran out of time .*; until then messages up to \d+ B .*takes [\d.]+m?s/
  assert.match(questions[0]!.said, said)
  server.close()
})

test('a datagram that comes back late is an answer', async () => {
  const timers: NodeJS.Timeout[] = []
  await using late = await peer({}, (data, answer) => {
    timers.push(setTimeout(() => answer(data), 200))
  })
  const asked = { port: late.port, questions: ['idle'], transport: 'udp' } as const
  const { questions } = await ask(asked)
  for (const timer of timers) clearTimeout(timer)
  assert.match(questions[0]!.said, /^only the server can say/)
})

test('what talks by itself is no echo, and everything ends', async () => {
  const server = createServer(socket => {
    const more = () => {
      while (socket.write(Buffer.alloc(10_000, 'chargen ')));
    }
    socket.on('error', () => {}).on('drain', more)
    socket.resume()
    more()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const { verdict, questions } = await ask({ port, questions: ['bytes', 'sizes'] })
  assert.deepEqual(
    [verdict, questions.map(({ outcome }) => outcome)],
    ['fails', ['fails', 'not asked']],
  )
  server.close()
})

test('a control API that does not answer ends the check with a sentence', async () => {
  const server = createServer(socket => void socket.on('error', () => {}).resume())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const inquiry = {
    address: { transport: 'tcp', host: '127.0.0.1', port },
    calling: {},
    control: `http://127.0.0.1:${port}`,
    questions: ['bytes'],
    expectations: [],
    limits: { ...limits, allMs: 300 },
  } as const
  const listener = { onMode: nothing, onAnswer: nothing }
  const checking = run(inquiry, listener, new AbortController().signal)
  await assert.rejects(checking, /The dashboard at \S+ gave no answer within/)
  server.close()
})
