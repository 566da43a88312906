/** The real `yodel connect` in a pipe: what comes out, what it says, and how it ends. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect as connectSocket, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { serve, type Server } from 'yodel'
import { full, onlyFull, short } from './full.ts'
import { echoFlipped, listen, onAllReceived } from './peers/server.ts'
import { memoryOf, portOf, yodel, yodelServe, type Finished, type Program } from './program.ts'

const linux = process.platform === 'linux' ? false : 'reads /proc, which only Linux has'
const MiB = 2 ** 20

let server: Server
let url: string
before(async () => {
  server = await serve('tcp://127.0.0.1:0', { engine: 'node' })
  url = server.url
})
after(() => server.close('now'))

/** Pipes `input` through `yodel connect` to a server that the test plays itself. */
async function pipeTo(
  onClient: (socket: Socket) => void,
  input: Buffer | string,
  ...args: string[]
) {
  await using server = await listen(onClient)
  await using program = yodel(['connect', server.url, ...args], input)
  return await program.finished
}

/** Exit code and the one line on stderr; an empty line for silence. */
function assertEnded({ code, stderr }: Finished, expected: number, line: string) {
  assert.equal(stderr, line === '' ? '' : `yodel: ${line}\n`)
  assert.equal(code, expected)
}

/** Resolves once a program has printed so many bytes in all. */
function printed(program: Program, bytes: number): Promise<void> {
  let count = 0
  return new Promise(resolve => {
    program.child.stdout!.on('data', (chunk: Buffer) => {
      count += chunk.length
      if (count >= bytes) resolve()
    })
  })
}

const manyMiB = short(64, 4)
const inMemory = short(', in less than 256 MiB of memory', '')
test(`${manyMiB} MiB of random bytes come back the same${inMemory}`, async () => {
  const input = randomBytes(manyMiB * MiB)
  await using program = yodel(['connect', url], 'open')
  const all = printed(program, input.length)
  program.child.stdin!.write(input)
  await all
  // An input of less than 64 MiB would fit into memory, even if all of it were kept.
  if (full && !linux) {
    const peakBytes = memoryOf(program.child.pid!, 'VmHWM')
    assert.ok(peakBytes < 256 * MiB, `${peakBytes} bytes`)
  }
  program.child.stdin!.end()
  const finished = await program.finished
  assertEnded(finished, 0, '')
  assert.ok(finished.stdout.equals(input))
})

test('not more than 5 MiB are sent ahead of what comes back', { skip: onlyFull }, async () => {
  const finished = await pipeTo(
    socket => {
      // Reads everything, answers nothing, and leaves once nothing more comes.
      let quiet: NodeJS.Timeout | undefined
      socket.on('data', () => (quiet ??= setTimeout(() => socket.end(), 200)).refresh())
    },
    Buffer.alloc(16 * MiB),
  )
  const account = /while there was still input: ([\d,]+) bytes sent, 0 came back/
  const sent = Number(account.exec(finished.stderr)![1]!.replaceAll(',', ''))
  assert.ok(sent > 0 && sent < 5 * MiB, `${sent} bytes`)
  assert.equal(finished.code, 1)
})

test(
  'empty stdin: nothing is sent, nothing comes back, all is well',
  { skip: onlyFull },
  async () => {
    const finished = await yodel(['connect', url], '').finished
    assertEnded(finished, 0, '')
    assert.equal(finished.stdout.length, 0)
  },
)

test('a server that answers only after our FIN is waited for', async () => {
  const answer = (socket: Socket) => onAllReceived(socket, all => socket.end(all))
  const finished = await pipeTo(answer, 'hello', '--timeout', '200ms')
  assertEnded(finished, 0, '')
  assert.equal(finished.stdout.toString(), 'hello')
})

test('FIN is said when all is back, as some leave at once; --half-close: before', async () => {
  const proxy = (answer: (socket: Socket, data: Buffer) => unknown) => (socket: Socket) => {
    socket.on('data', (data: Buffer) => answer(socket, data))
    // As many proxies do, it drops what is still on its way to the client.
    socket.on('end', () => socket.destroy())
  }
  const late = proxy(async (socket, data) => {
    await sleep(1_200)
    if (socket.writable) socket.write(data)
  })
  // Longer than the timeout in all, and never silent for as long.
  const slow = proxy(async (socket, data) => {
    for (const byte of data) {
      await sleep(110)
      if (socket.writable) socket.write(Buffer.of(byte))
    }
  })
  const never = proxy(() => {})
  const silent = await pipeTo(never, 'hello', '--timeout', '200ms')
  const account = 'the server finished: 5 bytes sent, 0 came back, 5 missing.'
  const why = 'Nothing came for 200ms, so FIN was sent; `--timeout` says how long to wait.'
  assertEnded(silent, 1, `${account} ${why}`)
  if (!full) return
  const [steady, patient, hasty] = await Promise.all([
    pipeTo(slow, 'hello, hello', '--timeout', '1s'),
    pipeTo(late, 'hello'),
    pipeTo(never, 'hello', '--half-close'),
  ])
  assertEnded(steady, 0, '')
  assert.equal(steady.stdout.toString(), 'hello, hello')
  assertEnded(patient, 0, '')
  assert.equal(patient.stdout.toString(), 'hello')
  assertEnded(hasty, 1, account)
})

test(
  'a server that never finishes is left once everything is back',
  { skip: onlyFull },
  async () => {
    const finished = await pipeTo(socket => socket.on('data', data => socket.write(data)), 'hello')
    assertEnded(finished, 0, '')
    assert.equal(finished.stdout.toString(), 'hello')
  },
)

test('too little, then FIN', { skip: onlyFull }, async () => {
  const tooShort = (socket: Socket) => onAllReceived(socket, all => socket.end(all.subarray(0, 3)))
  const finished = await pipeTo(tooShort, 'hello', '--half-close')
  assertEnded(finished, 1, 'the server finished: 5 bytes sent, 3 came back, 2 missing.')
  assert.equal(finished.stdout.toString(), 'hel')
})

test('the server finishes while stdin is still open', { skip: onlyFull }, async () => {
  await using server = await listen(socket => {
    socket.on('data', (data: Buffer) => socket.end(data.subarray(0, 1)))
  })
  await using program = yodel(['connect', server.url], 'open')
  program.child.stdin!.write('hello')
  assertEnded(
    await program.finished,
    1,
    'the server finished while there was still input: 5 bytes sent, 1 came back, 4 missing.',
  )
})

test('too much, whether it comes with the echo or after it', { skip: onlyFull }, async () => {
  const line = 'more came back than was sent: 5 bytes sent, then 0x21.'
  const atOnce = (socket: Socket) => onAllReceived(socket, all => socket.end(`${all.toString()}!`))
  const later = (socket: Socket) => {
    onAllReceived(socket, all => socket.write(all, () => setImmediate(() => socket.end('!'))))
  }
  const tries = [atOnce, later].map(answer => pipeTo(answer, 'hello', '--half-close'))
  for (const finished of await Promise.all(tries)) {
    assertEnded(finished, 1, line)
    assert.equal(finished.stdout.toString(), 'hello!')
  }
})

test('the first wrong byte is named: its offset, what was sent, what came', async () => {
  const input = randomBytes(200_000)
  const hex = (byte: number) => `0x${byte.toString(16).padStart(2, '0')}`
  const rows: [offset: number, shown: string][] = [
    [0, '0'],
    [123_456, '123,456'],
    [199_999, '199,999'],
  ]
  const tries = short(rows, rows.slice(1, 2)).map(async ([offset, shown]) => {
    const finished = await pipeTo(socket => echoFlipped(socket, offset), input)
    const sent = input[offset]!
    const line = `wrong byte at offset ${shown}: sent ${hex(sent)}, got ${hex(sent ^ 1)}.`
    assertEnded(finished, 1, line)
  })
  await Promise.all(tries)
})

test('a reset in the middle', { skip: onlyFull }, async () => {
  await using server = await listen(socket => {
    socket.once('data', (data: Buffer) => {
      socket.write(data.subarray(0, 2), () => socket.once('data', () => socket.resetAndDestroy()))
    })
  })
  await using program = yodel(['connect', server.url], 'open')
  program.child.stdin!.write('hello')
  await printed(program, 2)
  program.child.stdin!.write('!')
  assertEnded(
    await program.finished,
    1,
    'the connection broke (ECONNRESET): 6 bytes sent, 2 came back, 4 missing.',
  )
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  const skip = signal === 'SIGTERM' && onlyFull
  test(
    `a server that never answers, and ${signal}: the account, and exit 130`,
    { skip },
    async () => {
      await using server = await listen()
      await using program = yodel(['connect', server.url], 'hello')
      await once(await server.client, 'data')
      program.kill(signal)
      assertEnded(await program.finished, 130, 'interrupted: 5 bytes sent, 0 came back, 5 missing.')
    },
  )
}

test('the reader of stdout goes away', { skip: onlyFull }, async () => {
  await using program = yodel(['connect', url], 'open')
  program.child.stdin!.write('hello')
  await printed(program, 5)
  program.child.stdout!.destroy()
  await once(program.child.stdout!, 'close')
  program.child.stdin!.write('hello')
  assertEnded(await program.finished, 1, 'the reader of stdout is gone.')
})

test('--verbose says that it is connected, and --hex shows the bytes', async () => {
  const flags = ['--verbose', '--hex']
  const finished = await yodel(['connect', ...flags, url], 'Hi!\n\u001b\u00ff').finished
  assertEnded(finished, 0, `connected to ${url}`)
  assert.equal(
    finished.stdout.toString(),
    '000000  48 69 21 0a 1b c3 bf                             Hi!....\n',
  )
})

/** The suite of the engines shows it of the server, with clients that cost less. */
const inTurn = 'one client at a time: the second waits, connected, until the first has left'
test(inTurn, { skip: onlyFull }, async () => {
  const { program, url } = await yodelServe('--concurrency', '1')
  await using _ = program
  await using first = yodel(['connect', url], 'open')
  first.child.stdin!.write('0\n')
  await first.says(/^0\n/m)

  // A relay shows that the bytes and the FIN of the second client have reached the server.
  await using relay = await listen()
  await using second = yodel(['connect', relay.url, '--half-close'], 'hello')
  const waiting = await relay.client
  const onward = connectSocket(portOf(url), '127.0.0.1')
  let answered = false
  onward.once('data', () => (answered = true))
  onward.pipe(waiting)
  waiting.pipe(onward)
  await once(onward, 'finish')
  for (let n = 1; n <= 20; n++) {
    first.child.stdin!.write(`${n}\n`)
    await first.says(new RegExp(`^${n}\n`, 'm'))
  }
  assert.equal(answered, false)

  first.child.stdin!.end()
  assertEnded(await first.finished, 0, '')
  const finished = await second.finished
  assertEnded(finished, 0, '')
  assert.equal(finished.stdout.toString(), 'hello')
})
