/** The prompt of the real `yodel connect`, in a real terminal. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { serve, type Server } from 'yodel'
import { read } from './client.ts'
import { onlyFull } from './full.ts'
import { echoFlipped, listen } from './peers/server.ts'
import { yodelPath } from './program.ts'
import { inTerminal, noTerminal as skip } from './terminals.ts'

const enter = '\r'
const backspace = '\u007f'
const up = '\u001b[A'
const left = '\u001b[D'
const ctrlC = '\u0003'
const ctrlD = '\u0004'
/** A number with a unit of time. */
const time = String.raw`\d[\d.]*[mun]?s`

let server: Server
let url: string
before(async () => void ({ url } = server = await serve(':0')))
after(() => server.close('now'))

/** A person at the prompt, once there is one. */
async function atPrompt(url: string, ...options: string[]) {
  const program = inTerminal(process.execPath, yodelPath, 'connect', ...options, url)
  await program.says(/> /)
  return {
    type: (keys: string) => void program.child.stdin!.write(keys),
    says: (pattern: RegExp) => program.says(pattern),
    /** Exit code, and what the terminal showed. */
    async ended() {
      const { code, stdout } = await program.finished
      return { code, shown: stdout.toString() }
    },
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  }
}

const echoed = (text: string) => new RegExp(`< ${text} {2}${time}\r\n`)

test(
  'a line is typed, its echo is shown with its round trip; Ctrl-D sums up',
  { skip },
  async () => {
    await using person = await atPrompt(url)
    person.type(`hello${enter}`)
    await person.says(echoed('hello'))
    // Several lines in one go, and an empty one.
    person.type(`one${enter}${enter}grüße${enter}`)
    await person.says(echoed('grüße'))
    person.type(ctrlD)
    const { code, shown } = await person.ended()
    assert.match(shown, new RegExp(`^${url} is connected; Ctrl-D ends.\r\n`))
    assert.match(shown, echoed('one'))
    assert.match(shown, echoed(''))
    const times = `${time} / ${time} / ${time} \\(min / median / max\\)`
    const summary = `\r\nyodel: 4 lines, 19 bytes, all came back; round trip ${times}\r\n$`
    assert.match(shown, new RegExp(summary))
    assert.equal(code, 0)
  },
)

test(
  'over WebSocket each line is a message of text, without its newline',
  { skip: skip || onlyFull },
  async () => {
    await using web = await serve('ws://127.0.0.1:0')
    await using person = await atPrompt(web.url)
    person.type(`grüße${enter}${enter}`)
    await person.says(echoed(''))
    person.type(ctrlD)
    const { code, shown } = await person.ended()
    assert.match(shown, echoed('grüße'))
    assert.match(shown, /\r\nyodel: 2 lines, 7 bytes, all came back; round trip/)
    assert.equal(code, 0)
    assert.equal(web.snapshot().chunks, 2)
  },
)

test('keys: history, corrections, and what is typed while an echo arrives', { skip }, async () => {
  await using server = await listen()
  await using person = await atPrompt(server.url)
  const socket = await server.client
  const echo = async (line: string) => {
    assert.equal((await read(socket, line.length + 1)).toString(), `${line}\n`)
    socket.write(`${line}\n`)
    await person.says(echoed(line))
  }

  person.type(`helpo${backspace}${backspace}lo${enter}`)
  await echo('hello')
  person.type(`${up}!${enter}`)
  await echo('hello!')
  // What is pasted goes to the end of the line, so this is typed key by key.
  person.type('ac')
  await person.says(/ac/)
  person.type(left)
  await person.says(/\[1D/)
  person.type('b')
  await person.says(/> abc/)
  person.type(`${enter}unfini`)
  await person.says(/unfini/)
  await echo('abc')
  // The line that was begun is shown again below the echo, and goes on at its end.
  person.type('s')
  await person.says(/unfini.\[\d+G.*s/)
  person.type(`hed${enter}`)
  await echo('unfinished')
  person.type(ctrlD)
  assert.equal((await person.ended()).code, 0)
})

// Every day terminal.test.ts types it.
const interrupted = 'Ctrl-C, at the prompt and after it: what there was, and exit 130'
test(interrupted, { skip: skip || onlyFull }, async () => {
  const tries = [`unfinished${ctrlC}`, ctrlC, ctrlD + ctrlC].map(async keys => {
    await using server = await listen()
    await using person = await atPrompt(server.url)
    person.type(`hello${enter}`)
    const socket = await server.client
    await read(socket, 6)
    for (const key of keys) {
      person.type(key)
      if (key === ctrlD) await once(socket.resume(), 'end')
    }
    const { code, shown } = await person.ended()
    // A terminal that is not at a prompt shows Ctrl-C by itself.
    assert.match(shown, /(?:\n|\^C)yodel: interrupted; 0 lines, 6 bytes, 6 bytes missing\r\n$/)
    assert.equal(code, 130)
  })
  await Promise.all(tries)
})

/** What would retitle, clear, colour, ring, reorder or hide: C0, C1, bidirectional, zero-width. */
const hostile = '\u001b]0;owned\u0007\u001b[2J\u001b[31m\u009b5m\u202etxt.exe\u200b\ufeff\b\r'

/** Asserts that nothing of it reached the terminal but in words. */
function assertHarmless(shown: string) {
  assert.ok(shown.includes(String.raw`\x1b]0;owned\x07\x1b[2J\x1b[31m`), shown)
  assert.ok(shown.includes(String.raw`\u{202e}txt.exe\u{200b}\u{feff}\x08\r`), shown)
  // oxlint-disable-next-line no-control-regex -- how the prompt itself is drawn
  const own = /\u001b\[(?:1G|3G|0J|2K)|\r\n|\r\r\n/g
  const rest = shown.replaceAll(own, '')
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  assert.doesNotMatch(rest, /[\0-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/)
}

test('a hostile server cannot send anything raw to the terminal', { skip }, async () => {
  // Lastly a C1 control as a single byte, which is no UTF-8.
  const answer = Buffer.concat([Buffer.from(hostile), Buffer.from([0x9b, 0x41])])
  await using server = await listen(socket => socket.once('data', () => socket.end(answer)))
  await using person = await atPrompt(server.url)
  person.type(`hi${enter}`)
  const { code, shown } = await person.ended()
  assertHarmless(shown)
  assert.ok(shown.includes(String.raw`\x9bA`))
  assert.match(shown, /! wrong byte at offset 0; from here on, as it comes:\r\n/)
  assert.equal(code, 1)
})

test(
  'nor where stdin is a pipe and only stdout is a terminal',
  { skip: skip || onlyFull },
  async () => {
    const words = `'${process.execPath}' -e 'process.stdout.write(${JSON.stringify(hostile)})'`
    const command = `${words} | '${process.execPath}' '${yodelPath}' connect ${url}`
    await using program = inTerminal('sh', '-c', command)
    const { code, stdout } = await program.finished
    assertHarmless(stdout.toString())
    assert.equal(code, 0)
  },
)

test(
  'wrong bytes are shown as such, from the first one on',
  { skip: skip || onlyFull },
  async () => {
    await using server = await listen(socket => echoFlipped(socket, 10))
    await using person = await atPrompt(server.url)
    person.type(`hello${enter}`)
    await person.says(echoed('hello'))
    person.type(`hello${enter}`)
    await person.says(/! wrong byte at offset 10; from here on, as it comes:\r\n/)
    await person.says(/\? n\r\n/)
    person.type(ctrlD)
    const { code, shown } = await person.ended()
    assert.match(shown, /yodel: 1 line, 12 bytes, wrong bytes came back; round trip /)
    assert.equal(code, 1)
  },
)

test('more than was sent is shown as such', { skip: skip || onlyFull }, async () => {
  await using server = await listen(socket => socket.write('welcome\n'))
  await using person = await atPrompt(server.url)
  await person.says(/! more came back than was sent; from here on, as it comes:\r\n/)
  await person.says(/\? welcome\r\n/)
  person.type(ctrlD)
  assert.equal((await person.ended()).code, 1)
})

test(
  'the server hangs up: with everything said, too early, or with a reset',
  { skip: skip || onlyFull },
  async () => {
    const rows: [act: (socket: Socket, line: Buffer) => void, code: number, said: RegExp][] = [
      [
        (socket, line) => socket.end(line),
        0,
        /the server closed the connection; 1 line, 6 bytes, all came back; /,
      ],
      [
        socket => socket.end('hel'),
        1,
        /the server closed the connection; 0 lines, 6 bytes, 3 bytes missing\r\n$/,
      ],
      [
        socket => socket.resetAndDestroy(),
        1,
        /the connection broke \(ECONNRESET\); 0 lines, 6 bytes, 6 bytes missing\r\n$/,
      ],
    ]
    for (const [act, expected, said] of rows) {
      await using server = await listen(socket => {
        socket.once('data', (line: Buffer) => act(socket, line))
      })
      await using person = await atPrompt(server.url)
      person.type(`hello${enter}`)
      const { code, shown } = await person.ended()
      assert.match(shown, said)
      // On a line of its own, not behind the prompt.
      assert.match(shown, /\r\nyodel: the /)
      assert.equal(code, expected)
    }
  },
)

test('--hex', { skip: skip || onlyFull }, async () => {
  await using person = await atPrompt(url, '--hex')
  person.type(`ä${enter}`)
  await person.says(/000000 {2}c3 a4 0a {41}\.\.\. {2}/)
  person.type(ctrlD)
  assert.equal((await person.ended()).code, 0)
})
