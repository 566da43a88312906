/** yodel check of both ends: which way went wrong is said by what each of them saw. */
import assert from 'node:assert/strict'
import { createServer, request } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { check, serve, type CheckOptions, type CheckResult, type Server } from 'yodel'
import { full, onlyFull } from './full.ts'
import { badPath, joins, reversed, type Join } from './peers/bad-path.ts'
import { portOf } from './program.ts'

let server: Server
before(async () => {
  server = await serve('tcp://127.0.0.1:0', { engine: 'node', directions: true })
})
after(() => server.close('now'))

async function through(join: Join, options: CheckOptions): Promise<CheckResult> {
  await using path = await badPath(portOf(server.url), join)
  return await check(path.url, { maxConnections: 4, ...options }).finished
}

/** `half-close: fin-swallowed up`, of what is not ok. */
const sides = ({ questions }: CheckResult) =>
  questions.flatMap(({ name, findings }) =>
    findings.map(finding => `${name}: ${finding.name} ${finding.side}`),
  )

const forgets: Join = (front, back) => {
  let lastMs = Infinity
  front.on('data', chunk => {
    if (performance.now() - lastMs < 300 || lastMs === Infinity) back.write(chunk)
    lastMs = performance.now()
  })
  back.pipe(front)
  front.on('end', () => back.end())
}

const cases: [name: string, join: Join, options: CheckOptions, found: string[]][] = [
  ['swallows FIN', joins.swallowsFin, { only: ['half-close'] }, ['half-close: fin-swallowed up']],
  [
    'swallows the FIN that comes back',
    reversed(joins.swallowsFin),
    { only: ['half-close'] },
    ['half-close: fin-swallowed down'],
  ],
  ['delays FIN', joins.delaysFin, { only: ['half-close'] }, ['half-close: fin-delayed up']],
  [
    'delays the FIN that comes back',
    reversed(joins.delaysFin),
    { only: ['half-close'] },
    ['half-close: fin-delayed down'],
  ],
  ['closes both', joins.closesBoth, { only: ['half-close'] }, ['half-close: data-lost down']],
  [
    'translates what comes back',
    joins.translatesLines,
    { only: ['bytes'] },
    ['bytes: changed down'],
  ],
  [
    'translates what goes',
    reversed(joins.translatesLines),
    { only: ['bytes'] },
    ['bytes: changed up'],
  ],
  ['passes 100 kB', joins.stopsAfter100k, { only: ['sizes'] }, ['sizes: stops up']],
  [
    'passes 100 kB back',
    reversed(joins.stopsAfter100k),
    { only: ['sizes'] },
    ['sizes: stops down'],
  ],
  ['forgets', forgets, { only: ['idle'], idleMs: 600 }, ['idle: forgotten up']],
  [
    'forgets what comes back',
    reversed(forgets),
    { only: ['idle'], idleMs: 600 },
    ['idle: forgotten down'],
  ],
  ['hides the client', joins.faithful, { only: ['proxy'] }, ['proxy: hidden on the way']],
]

test('says in which direction a relay is wrong', { skip: onlyFull }, async t => {
  // Every second one shows what its reverse shows.
  const chosen = cases.filter((_, at) => full || at % 2 === 0)
  const running = chosen.map(([, join, options]) => through(join, options))
  for (const [at, [name, , , found]] of chosen.entries())
    await t.test(name, async () => {
      const result = await running[at]!
      assert.equal(result.mode, 'paired')
      assert.deepEqual(sides(result), found, JSON.stringify(result, null, 1))
      const { evidence } = result.questions[0]!
      assert.ok(evidence.some(line => line.startsWith('the other end')) || name.startsWith('hides'))
    })
})

test('nothing is found where both ends agree', async () => {
  const only = ['bytes', 'half-close', 'sizes', 'proxy'] as const
  const result = await check(server.url, { only: [...only] }).finished
  assert.equal(result.mode, 'paired')
  assert.deepEqual(sides(result), [])
})

test('of a server without --directions it says that it is blind', async () => {
  await using plain = await serve('tcp://127.0.0.1:0', { engine: 'node' })
  const result = await check(plain.url, { only: ['proxy'] }).finished
  assert.equal(result.mode, 'blind')
  assert.equal(result.questions[0]!.outcome, 'not asked')
  assert.match(result.questions[0]!.said, /yodel serve --directions/)
})

test('over HTTP the other end tells of headers, and of the address of the client', async () => {
  await using web = await serve('http://127.0.0.1:0', { engine: 'node' })
  const target = { port: portOf(web.url), agent: false }
  const proxy = createServer((asked, answer) => {
    const { cookie: _, ...rest } = asked.headers
    const headers = { ...rest, via: '1.1 test' }
    const { method, url: path } = asked
    const passed = request({ ...target, method, path, headers }, got => {
      answer.writeHead(got.statusCode!, got.headers)
      got.pipe(answer)
    })
    asked.pipe(passed)
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  try {
    const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
    const result = await check(url, { only: ['http', 'proxy'] }).finished
    const names = sides(result)
    assert.ok(names.includes('http: headers up'), JSON.stringify(result, null, 1))
    assert.ok(names.includes('proxy: hidden on the way'), names.join())
    const { said } = result.questions[0]!.findings.find(({ name }) => name === 'headers')!
    assert.match(said, /added: .*via.*; taken away: cookie/)
  } finally {
    proxy.closeAllConnections()
    proxy.close()
  }
  const direct = await check(web.url, { only: ['http', 'proxy'] }).finished
  assert.deepEqual(sides(direct), [])
})
