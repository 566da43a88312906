/** yodel check names a program as the cause where a program is, and says what of a path fails. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { after, test } from 'node:test'
import { check, type CheckOptions, type CheckResult } from 'yodel'
import { createCertificate } from './certificates.ts'

const open: (() => void)[] = []
after(() => {
  for (const close of open) close()
})

async function served(serveOne: (socket: Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, socket => {
    socket.on('error', () => {})
    serveOne(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  open.push(() => server.close())
  return (server.address() as AddressInfo).port
}

const echo = (socket: Socket) => void socket.pipe(socket)

type Only = NonNullable<CheckOptions['only']>

async function asked(url: string, ...only: Only): Promise<CheckResult> {
  const calling = url.startsWith('tls') ? { tls: { insecure: true } } : {}
  return await check(url, { only, maxConnections: 4, calling }).finished
}

const summary = ({ questions }: CheckResult) =>
  questions.map(({ name, outcome, said, findings }) =>
    [`${name} ${outcome}`, ...findings.map(each => each.name), said].join(', '),
  )

/** Echoes so much of a connection, and then does what is to be done. */
const upTo = (most: number, then: (socket: Socket) => void) => (socket: Socket) => {
  let left = most
  socket.on('data', (chunk: Buffer) => {
    if (left > 0) socket.write(chunk.subarray(0, left))
    left -= chunk.length
    if (left <= 0) then(socket)
  })
  socket.on('end', () => socket.end())
}

test('what a program cuts is not said of packets', async () => {
  const cutting = await served(socket => {
    socket.on('data', (chunk: Buffer) => socket.write(chunk.subarray(0, 50)))
    socket.on('end', () => socket.end())
  })
  const stopping = await served(upTo(100_000, () => {}))
  const ending = await served(upTo(100_000, socket => void socket.end()))
  const [cut, stopped, ended] = await Promise.all([
    asked(`tcp://127.0.0.1:${cutting}`, 'sizes'),
    asked(`tcp://127.0.0.1:${stopping}`, 'sizes', 'half-close'),
    asked(`tcp://127.0.0.1:${ending}`, 'sizes'),
  ])
  assert.deepEqual(summary(cut), [
    'sizes fails, cut, of a longer message only the first 50 B come back',
  ])
  assert.deepEqual(summary(stopped), [
    'half-close not asked, 131 kB sent at once do not come back without FIN either',
    'sizes fails, stops, a connection stops after 100 kB',
  ])
  assert.deepEqual(summary(ended), ['sizes fails, stops, a connection ends (FIN) after 100 kB'])
})

test('of an address on which only TLS fails it is said that TCP opens', async () => {
  const secured = createTlsServer(createCertificate(['localhost']), echo)
  secured.on('tlsClientError', () => {})
  let count = 0
  // The first look, and the question whether the server keeps traces.
  const port = await served(socket => {
    if (++count <= 2) secured.emit('connection', socket)
    else echo(socket)
  })
  const result = await asked(`tls://localhost:${port}`, 'families')
  const [question] = result.questions
  const names = question!.findings.map(({ name }) => name)
  assert.deepEqual(names, ['not-spoken'], JSON.stringify(result, null, 1))
  assert.match(question!.said, /^127\.0\.0\.1 opens a connection, and fails at tls$/)
})
