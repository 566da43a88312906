/** yodel check finds what was added to an echo, or changed in it, and on which side. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { serve, type CheckOptions, type CheckResult, type Server } from 'yodel'
import { asked, echoMessages, open, overWs } from './check-peers.ts'
import { badPath, type Join } from './peers/bad-path.ts'
import { portOf } from './program.ts'

let paired: Server
const farewell = Buffer.from('goodbye\n')
const extra = Buffer.from('!')

/** Passes all on; what is to be added is written as the server's bytes come. */
const adding =
  (add: (chunk: Buffer, front: Parameters<Join>[0]) => void, atEnd = Buffer.alloc(0)): Join =>
  (front, back) => {
    front.pipe(back)
    back.on('data', (chunk: Buffer) => {
      front.write(chunk)
      add(chunk, front)
    })
    back.on('end', () => front.end(atEnd))
  }

const nothing = () => {}
/** Behind the last of the bytes that are sent one by one: that connection is closed then. */
const behindSingles: Join = (front, back) => {
  let said = ''
  const add = adding(chunk => {
    said = `${said}${chunk.toString('latin1')}`.slice(-100)
    if (said.endsWith('in each write')) setTimeout(() => front.write(extra), 5)
  })
  add(front, back)
}
const isShort = (chunk: Buffer) => chunk.length === 16
const inSilence = adding((chunk, front) => {
  if (isShort(chunk)) setTimeout(() => front.write(farewell), 150)
})
const beforeItEnds = adding((chunk, front) => {
  if (isShort(chunk)) setTimeout(() => front.end(farewell), 150)
})
/** As many bytes as were sent. */
const raises: Join = (front, back) => {
  front.pipe(back)
  back.on('data', (chunk: Buffer) =>
    front.write(chunk.toString('latin1').replaceAll('quick', 'QUICK'), 'latin1'),
  )
  back.on('end', () => front.end())
}

const through = (join: Join, only: string, more?: CheckOptions) => async () => {
  const path = await badPath(portOf(paired.url), join)
  open.push(path)
  return asked(path.url, only, more)
}
/** A server that is no yodel. */
const blindly = (serveOne: (socket: Socket) => void) => async () => {
  const server = createServer(socket => {
    socket.on('error', () => {})
    serveOne(socket)
    if (socket.listenerCount('data') === 0) socket.pipe(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  open.push({ [Symbol.asyncDispose]: async () => void server.close() })
  return asked(`tcp://127.0.0.1:${(server.address() as AddressInfo).port}`, 'bytes')
}
const prompting = (socket: Socket) =>
  void socket.on('data', (chunk: Buffer) => socket.write(Buffer.concat([farewell, chunk])))
/** What came last on one connection is said once more on the next one. */
const crossing = () => {
  let last: Buffer | undefined
  return (socket: Socket) => {
    if (last) socket.write(last)
    last = undefined
    socket.on('data', (chunk: Buffer) => {
      socket.write(chunk)
      last = chunk
    })
  }
}
const silence = { idleMs: 600 }

const cases: Record<string, [found: string[], ask: () => Promise<CheckResult>]> = {
  'adds a byte behind an echo': [['bytes: added down'], through(behindSingles, 'bytes')],
  'adds a farewell behind FIN': [
    ['half-close: added down'],
    through(adding(nothing, farewell), 'half-close'),
  ],
  'talks in a silence': [['idle: added down'], through(inSilence, 'idle', silence)],
  'says goodbye, and ends what is silent': [
    ['idle: added down', 'idle: closed down'],
    through(beforeItEnds, 'idle', silence),
  ],
  'changes bytes on the way back, and not their number': [
    ['bytes: changed down'],
    through(raises, 'bytes'),
  ],
  'puts a prompt in front of each echo': [['bytes: added unknown'], blindly(prompting)],
  'gives a late echo to the next client': [
    ['bytes: crossed unknown', 'bytes: added unknown'],
    blindly(crossing()),
  ],
  greets: [['bytes: greeting unknown'], blindly(socket => void socket.write('hello\n'))],
  'greets over WebSocket, and answers once more': [
    ['ws: added unknown'],
    () =>
      overWs({}, socket => {
        socket.send('welcome')
        echoMessages(socket)
        socket.once('message', () => setTimeout(() => socket.send('and once more'), 5))
      }),
  ],
}

const results = new Map<string, Promise<CheckResult>>()
before(async () => {
  paired = await serve('tcp://127.0.0.1:0', { engine: 'node', directions: true })
  // Each waits most of its time, but of all at once each would find the others.
  const hands = Array.from({ length: 3 }, () => Promise.resolve<unknown>(undefined))
  for (const [at, [name, [, ask]]] of Object.entries(cases).entries()) {
    const result = hands[at % hands.length]!.then(ask)
    hands[at % hands.length] = result.catch(() => {})
    results.set(name, result)
  }
})
after(async () => {
  await Promise.allSettled(results.values())
  for (const each of open.splice(0)) await each[Symbol.asyncDispose]()
  await paired.close('now')
})

const sides = ({ questions }: CheckResult) =>
  questions.flatMap(({ name, findings }) =>
    findings.map(finding => `${name}: ${finding.name} ${finding.side}`),
  )

for (const [name, [found]] of Object.entries(cases))
  test(`a peer that ${name}: check finds ${found.join(', ')}`, async () => {
    const result = await results.get(name)!
    assert.deepEqual(sides(result), found, JSON.stringify(result, null, 1))
    assert.equal(result.verdict, 'fails')
  })
