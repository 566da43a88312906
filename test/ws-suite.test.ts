/**
 * What the Autobahn suite asks of a WebSocket server, by the numbers of its cases, in frames of our
 * own. Its cases 12 and 13 are about compression, which the package `ws` does.
 */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { connect, type ServeOptions, type Server } from 'yodel'
import { readAll } from './client.ts'
import { frame, parsed, upgraded } from './frames.ts'
import { onlyFull, short } from './full.ts'
import { refusal } from './refusal.ts'
import { open, portOf, receive, start } from './ws-clients.ts'

const timeout = 60_000
const [text, binary, more, bye, ping, pong] = [1, 2, 0, 8, 9, 10] as const

type Sent = [opcode: number, payload: Buffer | string, fin?: boolean]
/** What comes back: frames, and the code with which it is closed. */
type Back = [opcode: number, payload: Buffer | string]
interface Case {
  name: string
  sent: Sent[]
  back: Back[]
  code?: number
  /** Reserved bits of the last frame. */
  reserved?: number
}

const code = (number: number, reason: Buffer | string = '') => {
  const two = Buffer.alloc(2)
  two.writeUInt16BE(number)
  return Buffer.concat([two, Buffer.from(reason as string)])
}
const echoed = (name: string, ...sent: Sent[]): Case => ({
  name,
  sent,
  back: sent.map(([opcode, payload]) => [opcode === ping ? pong : opcode, payload]),
})
const refused = (name: string, number: number, ...sent: Sent[]): Case => ({
  name,
  sent,
  back: [],
  code: number,
})
const long = (length: number) => Buffer.alloc(length, '*')

/** Bytes that are no UTF-8 (RFC 3629), and some that are, at its edges. */
const noText = ['80', 'bf', 'c0af', 'c1bf', 'e08080', 'e09fbf', 'eda080', 'edbfbf', 'eda080edb080']
const noText4 = ['f08080af', 'f490808080', 'f888808080', 'fc8480808080', 'fe', 'ff', 'cebae1bd']
const edges = ['00', '7f', 'c280', 'dfbf', 'e0a080', 'ed9fbf', 'ee8080', 'efbfbf', 'f0908080']
const hex = (digits: string) => Buffer.from(digits, 'hex')

const cases: Case[] = [
  ...[0, 125, 126, 127, 128, 65_535, 65_536].flatMap(length => [
    echoed(`1.1 text of ${length}`, [text, long(length)]),
    echoed(`1.2 binary of ${length}`, [binary, long(length)]),
  ]),
  echoed('2.1 an empty ping', [ping, '']),
  echoed('2.3 a binary ping', [ping, hex('00ff')]),
  echoed('2.4 a ping of 125', [ping, long(125)]),
  refused('2.5 a ping of 126', 1002, [ping, long(126)]),
  {
    name: '2.7 unsolicited pongs',
    sent: [
      [pong, ''],
      [pong, 'x'],
    ],
    back: [],
  },
  echoed('2.10 ten pings', ...Array.from({ length: 10 }, (_, n): Sent => [ping, `${n}`])),
  ...[1, 2, 3, 4, 5, 6, 7].map(bits => ({
    ...refused(`3.${bits} reserved bits`, 1002, [text, 'x']),
    reserved: bits,
  })),
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map(opcode =>
    refused(`4 the opcode ${opcode}`, 1002, [opcode, 'x']),
  ),
  refused('5.1 a ping in fragments', 1002, [ping, 'a', false], [more, 'b']),
  {
    name: '5.6 a ping within a message',
    sent: [
      [text, 'a', false],
      [ping, 'p'],
      [more, 'b'],
    ],
    back: [
      [pong, 'p'],
      [text, 'ab'],
    ],
  },
  refused('5.9 nothing to continue', 1002, [more, 'x'], [text, 'y']),
  refused('5.18 a message within a message', 1002, [text, 'a', false], [text, 'b']),
  {
    name: '6.1.2 empty fragments',
    sent: [
      [text, '', false],
      [more, '', false],
      [more, ''],
    ],
    back: [[text, '']],
  },
  {
    name: '6.2.3 a character in pieces',
    sent: [
      [text, hex('f0'), false],
      [more, hex('9f98'), false],
      [more, hex('80')],
    ],
    back: [[text, '😀']],
  },
  ...edges.map(digits => echoed(`6 text ${digits}`, [text, hex(digits)])),
  ...[...noText, ...noText4].map(digits =>
    refused(`6 no text ${digits}`, 1007, [text, hex(digits)]),
  ),
  { name: '7.1.3 a second close', sent: [[bye, code(1000)]], back: [], code: 1000 },
  { name: '7.3.1 an empty close', sent: [[bye, '']], back: [] },
  refused('7.3.2 a close of one byte', 1002, [bye, 'x']),
  { name: '7.3.5 a long reason', sent: [[bye, code(1000, long(123))]], back: [], code: 1000 },
  refused('7.3.6 a reason that is too long', 1002, [bye, code(1000, long(124))]),
  refused('7.5.1 a reason that is no text', 1007, [bye, code(1000, hex('cebaff'))]),
  ...[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999].map(
    (number): Case => ({
      name: `7.7 the code ${number}`,
      sent: [[bye, code(number)]],
      back: [],
      code: number,
    }),
  ),
  ...[0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65_535].map(number =>
    refused(`7.9 the code ${number}`, 1002, [bye, code(number)]),
  ),
]

const settings: [string, ServeOptions][] = [
  ['as it comes', {}],
  ['watched', { faults: [] }],
  ['on the ring', { engine: 'uring' }],
]

const servers = new Map<ServeOptions, Promise<Server>>()
/** The same for the same options. */
function serverWith(options: ServeOptions): Promise<Server> {
  const server = servers.get(options) ?? start(options)
  servers.set(options, server)
  return server
}
after(async () => {
  for (const server of servers.values()) await (await server).close('now')
})

const noRing = refusal('uring')
/** The readers of frames are enough for a day. */
const isOther = (name: string) => (name === 'on the ring' ? noRing : name === 'watched' && onlyFull)

for (const [name, options] of settings)
  test(
    `${cases.length} cases of the suite, ${name}`,
    { timeout, skip: isOther(name) },
    async () => {
      const server = await serverWith(options)
      for (const { name, sent, back, code: expected, reserved = 0 } of cases) {
        const socket = await upgraded(portOf(server))
        const bytes = sent.map(([opcode, payload, fin = true], n) =>
          frame(opcode, payload, { fin, reserved: n === sent.length - 1 ? reserved : 0 }),
        )
        // Where nothing is wrong this side closes.
        const isBye = sent.some(([opcode]) => opcode === bye)
        if (expected === undefined && !isBye) bytes.push(frame(bye, code(1000)))
        socket.write(Buffer.concat(bytes))
        const frames = parsed(await readAll(socket))
        socket.destroy()
        const last = frames.pop()!
        const got = frames.map(({ opcode, payload }) => [opcode, payload.toString('hex')])
        const right = back.map(([opcode, payload]) => [
          opcode,
          Buffer.from(payload as string).toString('hex'),
        ])
        assert.deepEqual(got, right, name)
        assert.equal(last.opcode, bye, name)
        const closed = last.payload.length === 0 ? undefined : last.payload.readUInt16BE()
        assert.equal(closed, expected ?? (isBye ? undefined : 1000), name)
      }
    },
  )

const bytes = short(4, 0.25) * 2 ** 20
describe(`9.3 and 9.4: a message of ${bytes} bytes in fragments`, { timeout }, () => {
  for (const [name, options] of settings)
    for (const size of [64, 256, 4096])
      test(`of ${size}, ${name}`, { skip: (size > 64 && onlyFull) || isOther(name) }, async () => {
        const server = await serverWith(options)
        const client = await open(server)
        const back = receive(client, 1)
        const piece = long(size)
        for (let left = bytes; left > 0; left -= size)
          client.send(piece.subarray(0, left), { fin: left <= size, binary: false })
        assert.equal((await back)[0], long(bytes).toString())
        client.terminate()
      })
})

const pieces = 32_768
const ours = `a client of ours takes a message in ${pieces} fragments`
test(ours, { timeout, skip: onlyFull }, async () => {
  await using server = await start({ faults: [{ kind: 'slice', minBytes: 8, maxBytes: 8 }] })
  await using client = await connect(server.url)
  assert.equal((await client.echo(long(8 * pieces))).reply.length, 8 * pieces)
})
