/**
 * Other programs against the real server: a flood and a person at the same time, and long streams.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test, type TestContext } from 'node:test'
import { full, onlyFull, short } from './full.ts'
import { memoryOf, missing, portOf, Program, root, yodelPath, yodelServe } from './program.ts'

const MiB = 2 ** 20

/** A command, and what it is called in the name of a test. */
interface Peer {
  name: string
  command: string[]
}

const reasons = new Map(['python3', 'ncat', 'socat'].map(name => [name, missing(name)]))

/** The program of others where it is installed, our own otherwise: no scene is left out. */
function peer(name: string, command: string[], role: string, url: string): Peer {
  const reason = reasons.get(command[0]!)
  if (reason === false) return { name, command }
  const ours = [process.execPath, `${root}build/test/peers/plain.js`, role]
  return { name: `plain.js in place of ${name}: ${reason}`, command: [...ours, ...where(url)] }
}

const where = (url: string) => ['127.0.0.1', String(portOf(url))]

const start = ({ command: [program, ...args] }: Peer, input: string) =>
  new Program(program!, args, input)

const python = (name: 'client' | 'sender', url: string) =>
  peer(`${name}.py`, ['python3', `${root}test/peers/${name}.py`, ...where(url)], name, url)

let server: { program: Program; url: string }
before(async () => void (server = await yodelServe()))
after(() => server.program[Symbol.asyncDispose]())

const anywhere = 'tcp://127.0.0.1:0'
const names = [python('client', anywhere), python('sender', anywhere)].map(({ name }) => name)

test(`one types while one sends for ever (${names.join(', ')})`, async () => {
  await using sender = start(python('sender', server.url), 'open')
  await sender.says(/the first message came back/)
  await using person = start(python('client', server.url), 'open')
  const count = short(50, 10)
  for (let n = 1; n <= count; n++) {
    person.child.stdin!.write(`line ${n}\n`)
    await person.says(new RegExp(`^line ${n}$`, 'm'))
  }
  person.child.stdin!.end()
  const typed = await person.finished
  assert.equal(typed.stderr, '')
  assert.equal(typed.code, 0)
  const lines = Array.from({ length: count }, (_, index) => `line ${index + 1}\n`)
  assert.equal(typed.stdout.toString(), lines.join(''))

  // The sender went on all the time, and nothing of the person's came to it.
  assert.equal(sender.child.exitCode, null)
  sender.kill('SIGINT')
  const { code, stdout, stderr } = await sender.finished
  assert.equal(stderr, '')
  assert.match(stdout.toString(), /\n\d+ messages were sent, and came back\n$/)
  assert.equal(code, 0)
})

test(`a thousand times the same message (${names[1]})`, { skip: onlyFull }, async () => {
  const { name, command } = python('sender', server.url)
  await using sender = start({ name, command: [...command, '--count', '1000'] }, 'ignore')
  const { code, stdout } = await sender.finished
  assert.match(stdout.toString(), /\n1000 messages were sent, and came back\n$/)
  assert.equal(code, 0)
})

/** In full more than a program holds by itself: it would be seen if it kept what goes through. */
const streamBytes = short(256, 8) * MiB
const folder = mkdtempSync(join(tmpdir(), 'yodel-'))
const file = join(folder, 'random')
after(() => rmSync(folder, { recursive: true }))

before(() => {
  const descriptor = openSync(file, 'w')
  const block = randomBytes(8 * MiB)
  for (let written = 0; written < streamBytes; written += block.length) {
    // No two are the same.
    block.writeUInt32LE(written)
    writeSync(descriptor, block)
  }
  closeSync(descriptor)
})

const copies = (url: string): Peer[] => [
  { name: 'yodel connect', command: [process.execPath, yodelPath, 'connect', url] },
  // Both half-close once stdin has ended, and go on receiving; socat waits only so long for it.
  peer('ncat', ['ncat', ...where(url)], 'copy', url),
  peer('socat', ['socat', '-t', '3600', '-', `TCP:${where(url).join(':')}`], 'copy', url),
]

for (const [n, { name }] of copies(anywhere).entries()) {
  test(`${streamBytes / MiB} MiB of random bytes come back the same (${name})`, async t => {
    const peakBytes = await copy(t, copies(server.url)[n]!)
    // Less than went through it: so it keeps none of it.
    if (full && n === 0) assert.ok(peakBytes < streamBytes, `${peakBytes} bytes`)
  })
}

// More copies of the bytes are made on the way than by any other transport.
test('as many in messages of ws (yodel connect)', { skip: onlyFull }, async t => {
  const { program, url } = await yodelServe('ws://127.0.0.1:0')
  t.after(() => program[Symbol.asyncDispose]())
  const peakBytes = await copy(t, copies(url)[0]!)
  assert.ok(peakBytes < streamBytes, `${peakBytes} bytes`)
})

/** Sends a file through a program, compares what it prints, and returns how much memory it had. */
async function copy(t: TestContext, { command }: Peer) {
  const [program, ...args] = command
  const stdin = openSync(file, 'r')
  const child = spawn(program!, args, { stdio: [stdin, 'pipe', 'inherit'] })
  closeSync(stdin)
  t.after(() => child.kill('SIGKILL'))
  const peakBytes = await receive(child.stdout!, child.pid!)
  const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode]
  assert.equal(code, 0)
  return peakBytes
}

/** Compares a stream, and looks now and then how much memory its program had at most so far. */
async function receive(stream: AsyncIterable<Buffer>, pid: number): Promise<number> {
  const sent = openSync(file, 'r')
  let received = 0
  let peakBytes = 0
  for await (const chunk of stream) {
    const before = received
    const expected = Buffer.alloc(chunk.length)
    readSync(sent, expected)
    assert.ok(chunk.equals(expected), `other bytes after ${before}`)
    received += chunk.length
    const look = Math.floor(before / (16 * MiB)) < Math.floor(received / (16 * MiB))
    // After the last byte there may be no process any more.
    if (look && received < streamBytes && process.platform === 'linux')
      peakBytes = memoryOf(pid, 'VmHWM')
  }
  closeSync(sent)
  assert.equal(received, streamBytes)
  return peakBytes
}
