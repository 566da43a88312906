/** The real `yodel flood`: its limits, its report, and what it does when something goes wrong. */
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import type { Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { serve, type Server } from 'yodel'
import { full, onlyFull, short } from './full.ts'
import { echoFlipped, listen } from './peers/server.ts'
import { yodel, yodelPath } from './program.ts'
import { inTerminal, noTerminal } from './terminals.ts'
import { createTypist } from './typist.ts'

/** What the tests look at in the document of --json. */
interface Report {
  verdict: 'pass' | 'fail'
  seconds: number
  rates: { achievedPerSecond: number }
  messages: Record<'planned' | 'sent' | 'received' | 'lost' | 'unfinished' | 'wrong', number>
  bytes: { sent: number; received: number }
  responseUs: { count: number; min: number; p50: number; p99: number | null; max: number }
  errors: Record<string, number>
  firstWrong: { connection: number; offset: number; expected: string; received: string } | null
  run: { command: string; address: string; connections: number }
}

let server: Server
before(async () => void (server = await serve('tcp://127.0.0.1:0')))
after(() => server.close('now'))

/** The failures that occurred. */
const failures = ({ errors }: Report) =>
  Object.fromEntries(Object.entries(errors).filter(([, count]) => count > 0))

const typed = createTypist()
/** Floods with --json until it ends by itself. */
async function flood(url: string, ...args: string[]) {
  const { code, stdout, stderr } = await typed(['flood', '--json', url, ...args])
  return { code, stderr, report: JSON.parse(stdout) as Report }
}

const message = 'Grüezi!\n'
const messageBytes = Buffer.byteLength(message)

const everyCount = [
  ['one connection'],
  ['with 16 messages in flight', '--depth', '16'],
  ['3 connections of 2 threads', '--connections', '3', '--threads', '2'],
  ['at a rate', '--connections', '3', '--threads', '2', '--rate', '5k/s'],
] as const

for (const [name, ...args] of [
  // Engines are tried with more in load.suite.ts.
  ...(full ? everyCount : []),
  ['more connections than messages', '--connections', short('1200', '300')],
] as const) {
  test(`a count is kept exactly: ${name}`, async () => {
    const count = short(1000, 250)
    const { code, report } = await flood(server.url, message, '--count', `${count}`, ...args)
    const bytes = { sent: count * messageBytes, received: count * messageBytes }
    const { planned, sent, received, lost, wrong } = report.messages
    assert.deepEqual([planned, sent, received, lost, wrong], [count, count, count, 0, 0])
    assert.deepEqual(report.bytes, bytes)
    assert.deepEqual(failures(report), {})
    assert.equal(report.responseUs.count, count)
    assert.equal(report.firstWrong, null)
    assert.equal(report.verdict, 'pass')
    assert.equal(report.run.address, server.url)
    assert.equal(code, 0)
    const { min, p50, p99, max } = report.responseUs
    assert.ok(0 < min && min <= p50 && p50 <= max, JSON.stringify(report))
    // Of so few samples ten do not lie beyond it.
    if (count < 1_000) assert.equal(p99, null)
    else assert.ok(p50 <= p99! && p99! <= max, JSON.stringify(report))
  })
}

test('a duration is kept, and what is in flight at its end is waited for', async () => {
  const durationMs = short(150, 60)
  const limits = ['--duration', `${durationMs}ms`, '--depth', '8']
  const { code, report } = await flood(server.url, ...limits)
  const { sent, received, lost } = report.messages
  // The threads begin a little before the report does.
  assert.ok(report.seconds >= (durationMs - 25) / 1e3, `${report.seconds} s`)
  assert.ok(sent > 0)
  assert.equal(received, sent)
  assert.equal(lost, 0)
  assert.equal(code, 0)
})

test('a rate is not exceeded', async () => {
  const limits = ['--rate', '500/s', '--duration', '300ms', '--connections', '2']
  const { code, report } = await flood(server.url, ...limits)
  // The threads begin a little before the report does.
  const planned = 500 * report.seconds + 5
  assert.ok(report.messages.sent <= planned, `${report.messages.sent} sent in ${planned / 500} s`)
  assert.ok(report.messages.sent > 1)
  assert.equal(code, 0)
})

test('the report for people', async () => {
  const { code, stdout, stderr } = await typed([
    'flood',
    server.url,
    '--count',
    '2k',
    '--connections',
    '2',
  ])
  const size = String.raw`[\d.]+ [kMG]?B`
  const time = String.raw`[\d.]+[mun]?s`
  const lines = [
    'PASS: every byte came back',
    `yodel flood ${server.url}`,
    `  2 connections, ${time}, 7 B messages, engine \\w+`,
    String.raw`  messages    2,000 sent, 2,000 verified, 0 lost, 0 wrong`,
    String.raw`  rate        (?:[\d,]+/s sent, )?[\d,]+/s achieved`,
    `  round trip  p50 ${time}, p99 ${time}, max ${time}`,
    '',
    `  bytes       14 kB out, 14 kB back, ${size}/s`,
    '',
    ' +p50 +p90 +p99 +max',
    `  round trip(?: +${time}){4}`,
    `  connect +${time} +- +- +${time}`,
    '',
    '  failures    none',
    '(?:  note .*\n(?: {14}.*\n)*)*' +
      '(?:  generator   1 thread, busy for \\d+ % of the time.*\n(?: {14}.*\n)*)?' +
      '  resolution  0.05 % of a value, from 64ns to 1.22h; clock of performance.now\\(\\)',
    '  verdict     PASS: every byte came back',
  ]
  assert.match(stdout, new RegExp(`^${lines.join('\n')}\n$`))
  // No progress where stderr is no terminal.
  const started = `yodel: flooding ${server.url} over 2 connections; Ctrl-C ends it with a report\n`
  assert.equal(stderr, started)
  assert.equal(code, 0)
})

const endless = 'without a limit it goes on until SIGINT: then the report, and exit 130'
test(endless, { skip: onlyFull }, async () => {
  await using program = yodel(['flood', '--json', server.url, '--connections', '2'])
  await program.says(/Ctrl-C ends it/)
  program.kill('SIGINT')
  const { code, stdout } = await program.finished
  const { verdict, messages } = JSON.parse(stdout.toString()) as Report
  assert.equal(messages.received, messages.sent)
  assert.equal(verdict, 'pass')
  assert.equal(code, 130)
})

// The live view has tests of its own, in live.test.ts.
test('a live line at a terminal, and Ctrl-C', { skip: noTerminal || onlyFull }, async () => {
  await using program = inTerminal(process.execPath, yodelPath, 'flood', server.url)
  await program.says(/messages\/s {2}p50 .* p99 .*B\/s {2}errors 0 {2}wrong 0/)
  program.child.stdin!.write('\u0003')
  const { code, stdout } = await program.finished
  assert.match(stdout.toString(), /yodel flood .*\r\n(?:[^\n]*\n)*.* every byte came back\r\n$/)
  assert.equal(code, 130)
})

test('a flipped bit: its connection, its offset, what was expected, what came', async () => {
  await using bad = await listen(socket => echoFlipped(socket, 1234))
  const { code, report } = await flood(bad.url, message, '--depth', '4')
  const { connection, offset, ...hex } = report.firstWrong!
  const expected = Buffer.from(hex.expected, 'hex')
  const received = Buffer.from(hex.received, 'hex')
  assert.deepEqual({ connection, offset }, { connection: 0, offset: 1234 })
  const stream = Buffer.alloc(2000, message)
  assert.deepEqual(expected, stream.subarray(1234, 1234 + 32))
  expected[0]! ^= 1
  assert.deepEqual(received, expected.subarray(0, received.length))
  assert.deepEqual(failures(report), { wrongBytes: 1 })
  assert.equal(report.verdict, 'fail')
  assert.equal(code, 1)

  if (!full) return
  const { stdout } = await typed(['flood', bad.url, message])
  assert.match(stdout, /\n {2}wrong {7}connection 0, offset 1,234: \w+\n/)
  assert.match(
    stdout,
    /\n {2}expected {4}([\da-f]{2} ){16}.*\n {2}received {4}([\da-f]{2} )+.*\n {14}\^\^ /,
  )
  assert.match(stdout, /\n {2}failures {4}wrongBytes 1\n(?:.*\n)* {2}verdict {5}FAIL: /)
})

test('the server goes away in the middle: a report, and exit 1', { skip: onlyFull }, async () => {
  const leave: Record<string, (socket: Socket) => void> = {
    closedEarly: socket => socket.end(),
    reset: socket => socket.resetAndDestroy(),
  }
  const ways = Object.entries(leave)
  const tries = ways.map(async ([reason, go]) => {
    await using leaving = await listen(socket => {
      let echoes = 0
      socket.on('data', (data: Buffer) => (echoes++ < 100 ? socket.write(data) : go(socket)))
    })
    const { code, report } = await flood(leaving.url, '--connections', '2')
    assert.deepEqual(failures(report), { [reason]: 2 })
    const { sent, received, lost } = report.messages
    assert.deepEqual({ sent, lost }, { sent: received + 2, lost: 2 })
    assert.equal(report.verdict, 'fail')
    assert.equal(code, 1)
  })
  await Promise.all(tries)
})

test('too much is as wrong as anything else', { skip: onlyFull }, async () => {
  await using generous = await listen(socket => {
    socket.once('data', (data: Buffer) => socket.write(Buffer.concat([data, data])))
  })
  const { code, report } = await flood(generous.url, message, '--count', '1')
  assert.deepEqual(failures(report), { wrongBytes: 1 })
  assert.equal(report.firstWrong!.offset, messageBytes)
  assert.equal(code, 1)
})

const owed = 'an answer that does not come is unfinished: exit 1, also after SIGINT'
test(owed, { skip: onlyFull }, async () => {
  const silent = new EventEmitter()
  await using server = await listen(socket => socket.on('data', () => silent.emit('message')))
  const message = once(silent, 'message')
  await using program = yodel(['flood', '--json', server.url])
  await message
  program.kill('SIGINT')
  const { code, stdout } = await program.finished
  const { verdict, messages } = JSON.parse(stdout.toString()) as Report
  const { sent, received, lost, unfinished } = messages
  const counts = { sent, received, lost, unfinished }
  assert.deepEqual(counts, { sent: 1, received: 0, lost: 0, unfinished: 1 })
  assert.equal(verdict, 'fail')
  assert.equal(code, 1)
})
