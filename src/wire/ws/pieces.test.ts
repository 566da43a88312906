/** The upgrade of a client, close frames, masks, and messages that come in pieces. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { short } from '../../full.suite.ts'
import type { HostAddress } from '../../vocabulary/address.ts'
import { UserError } from '../../vocabulary/errors.ts'
import { acceptOf, saysUpgrade } from './accept.ts'
import { askUpgrade, readUpgrade } from './client-upgrade.ts'
import { closeFrame, goingAway, isCloseCode, reasonOfClose } from './closing.ts'
import { found, WsFrameReader } from './frame-reader.ts'
import { Joined } from './joined.ts'
import { copyMasked, Memory, rotated, unmask } from './mask.ts'
import { acceptance, mayBeRequest, parseRequest, upgradeRefusalOf } from './upgrade.ts'

const address: HostAddress = { transport: 'ws', host: '::1', port: 7, resource: '/chat?a=b' }
const end = '\r\n\r\n'

test('the key of RFC 6455 section 1.3 has the accept of section 1.3', () => {
  assert.equal(acceptOf('dGhlIHNhbXBsZSBub25jZQ=='), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
})

/** What our server says to a request of our client. */
function serverSays(request: string): string {
  assert.ok(request.endsWith(end) && mayBeRequest(request))
  const parsed = parseRequest(request.slice(0, -end.length))
  assert.ok(!Array.isArray(parsed))
  assert.equal(upgradeRefusalOf(parsed, undefined), undefined)
  const answer = acceptance(parsed)
  assert.ok(typeof answer === 'string')
  return answer
}

test('client and server understand each other, and the client takes not one byte too many', () => {
  const interim = fc.array(fc.constantFrom(100, 102, 103), { maxLength: 2 })
  const property = fc.property(interim, fc.uint8Array({ maxLength: 20 }), (before, rest) => {
    const asked = askUpgrade(address, [['X-Added', 'yes']])
    assert.match(asked.request, /^GET \/chat\?a=b HTTP\/1\.1\r\nHost: \[::1\]:7\r\n/)
    const early = before.map(status => `HTTP/1.1 ${status} Wait\r\nLink: a\r\n\r\n`).join('')
    const head = early + serverSays(asked.request)
    const bytes = Buffer.concat([Buffer.from(head), rest])
    assert.equal(readUpgrade(bytes, asked, address), head.length)
    for (let length = 0; length < head.length; length++)
      assert.equal(readUpgrade(bytes.subarray(0, length), asked, address), 0)
  })
  fc.assert(property, { numRuns: short(50, 5) })
  const [one, two] = [askUpgrade(address, []), askUpgrade(address, [])]
  assert.notEqual(one.accept, two.accept)
})

/** What the client says against an answer; undefined if it takes it. */
function against(asked: ReturnType<typeof askUpgrade>, answer: Buffer | string) {
  try {
    readUpgrade(Buffer.from(answer as string), asked, address)
    return undefined
  } catch (error) {
    if (error instanceof UserError && error.kind === 'network') return error.message
    throw error
  }
}

test('an answer with any line missing or wrong is no upgrade, and it is said why', () => {
  const asked = askUpgrade(address, [])
  const answer = serverSays(asked.request)
  assert.equal(against(asked, answer), undefined)
  for (const name of ['Upgrade', 'Connection', 'Sec-WebSocket-Accept']) {
    const line = new RegExp(`^${name}: .*\r\n`, 'm')
    assert.match(against(asked, answer.replace(line, ''))!, new RegExp(`invalid ${name} header`))
    assert.match(against(asked, answer.replace(line, `${name}: no\r\n`))!, /invalid/)
    // Twice is not once.
    const twice = answer.replace(line, '$&$&')
    assert.equal(against(asked, twice) === undefined, name === 'Connection')
  }
  const more = (line: string) => against(asked, answer.replace(end, `\r\n${line}${end}`))
  assert.match(more('Sec-WebSocket-Protocol: chat')!, /subprotocol/)
  assert.match(more('Sec-WebSocket-Extensions: permessage-deflate')!, /extension/)
  assert.match(more('no colon')!, /not answer in HTTP/)
  assert.match(against(asked, `HTTP/1.1 404 No\x07t\r\n\r\n`)!, /not answer in HTTP/)
  assert.match(against(asked, 'HTTP/1.1 404 Not Found\r\nno colon\r\n\r\n')!, /HTTP 404 Not Found/)
  for (const text of ['SSH-2.0', 'HTTP/1.0 101', 'h', 'HTTP/1.1\t'])
    assert.match(against(asked, text)!, /not answer in HTTP/)
  const endless = `HTTP/1.1 103 Wait\r\nLink: a\r\n\r\n`.repeat(1_000)
  assert.match(against(asked, endless)!, /too long/)
  assert.match(against(asked, `HTTP/1.1 101 ${'x'.repeat(20_000)}`)!, /too long/)
})

test('whatever comes as an answer, it is one, more is needed, or it is refused', () => {
  const asked = askUpgrade(address, [])
  const answer = Buffer.from(serverSays(asked.request))
  const property = fc.property(
    fc.nat(answer.length - 1),
    fc.nat(255),
    fc.uint8Array(),
    (at, byte, any) => {
      const changed = Buffer.from(answer)
      changed[at] = byte
      against(asked, changed)
      against(asked, Buffer.concat([answer.subarray(0, at), any, Buffer.from(end)]))
      against(asked, Buffer.from(any))
    },
  )
  fc.assert(property, { numRuns: short(1_000, 200) })
})

test('Connection is a list', () => {
  for (const yes of ['upgrade', 'Upgrade', 'keep-alive, Upgrade', 'a,upgrade\t,b', ' upgrade '])
    assert.ok(saysUpgrade(yes), yes)
  for (const no of ['', 'upgrades', 'up grade', 'no-upgrade', 'keep-alive upgrade', ';upgrade'])
    assert.ok(!saysUpgrade(no), no)
})

test('a header of spaces costs a look at each of them, and no more', () => {
  const spaces = ' '.repeat(16_000)
  const request = askUpgrade(address, []).request.slice(0, -end.length)
  const before = process.cpuUsage()
  for (let n = 0; n < 10; n++) {
    assert.ok(Array.isArray(parseRequest(`${request}\r\nX:${spaces}\r`)))
    const parsed = parseRequest(`${request}\r\nSec-WebSocket-Protocol: a${spaces}b`)
    assert.ok(!Array.isArray(parsed) && Array.isArray(acceptance(parsed)))
  }
  // It is seconds if each look at a space is one at all that follow, and else a millisecond.
  assert.ok(process.cpuUsage(before).user < 2e6)
  const parsed = parseRequest(`${request}\r\nOrigin: \t${spaces}http://a\xa0${spaces}`)
  assert.equal(Array.isArray(parsed) ? '' : parsed.headers['origin'], 'http://a\xa0')
})

test('codes of close frames are those of RFC 6455 section 7.4 and of its registry', () => {
  const ranges = [
    [1000, 1003],
    [1007, 1014],
    [3000, 4999],
  ] as const
  for (let code = 0; code <= 65_535; code++)
    assert.equal(
      isCloseCode(code),
      ranges.some(([from, to]) => code >= from && code <= to),
      `${code}`,
    )
})

/** What a client finds in a close frame. */
function readClose(frame: Buffer): [what: number, code: number, reason: string] {
  const reader = new WsFrameReader(false, 1_000)
  reader.give(new Memory(frame), 0, frame.length)
  const what = reader.next()
  const reason = Buffer.from(reader.bytes.subarray(reader.at + 2, reader.at + reader.length))
  return [what, reader.code, reason.toString()]
}

test('a close frame is read as it was written', () => {
  const reason = fc.string({ unit: 'grapheme', maxLength: 10 })
  const codes = fc.integer({ min: 1000, max: 4999 }).filter(isCloseCode)
  const property = fc.property(codes, reason, (code, why) => {
    const fits = Buffer.byteLength(why) <= 123 ? why : ''
    assert.deepEqual(readClose(closeFrame(code, fits)), [found.CLOSE, code, fits])
  })
  fc.assert(property, { numRuns: short(500, 100) })
  assert.deepEqual(readClose(closeFrame(...goingAway)), [found.CLOSE, ...goingAway])
  for (const code of [1002, 1007, 1009])
    assert.deepEqual(readClose(closeFrame(code)), [found.CLOSE, code, reasonOfClose(code)])
  assert.deepEqual(readClose(closeFrame(1000)), [found.CLOSE, 1000, ''])
})

test('what is copied with a mask loses it in any pieces, and nothing else is touched', () => {
  const sizes = fc.oneof(fc.nat(20), fc.constantFrom(255, 256, 257, 600))
  const property = fc.property(
    sizes,
    fc.nat(9),
    fc.nat(9),
    fc.nat(3),
    fc.integer(),
    fc.array(fc.nat(600), { maxLength: 4 }),
    (size, from, to, base, mask, cuts) => {
      const source = new Memory(new Uint8Array(700).subarray(base))
      const target = new Memory(new Uint8Array(700).subarray(3 - base))
      for (let n = 0; n < source.bytes.length; n++) source.bytes[n] = n * 7
      target.bytes.fill(0xee)
      const before = Buffer.from(source.bytes)
      copyMasked(source, from, target, to, size, mask)
      assert.ok(before.equals(source.bytes))
      for (let n = 0; n < size; n++) {
        const byte = (mask >>> ((n & 3) * 8)) & 0xff
        assert.equal(target.bytes[to + n], before[from + n]! ^ byte)
      }
      const places = [0, ...cuts.filter(cut => cut <= size).toSorted((a, b) => a - b), size]
      for (const [n, at] of places.slice(1).entries()) {
        const begin = places[n]!
        unmask(target, to + begin, to + begin, at - begin, rotated(mask, begin))
      }
      const expected = Buffer.alloc(target.bytes.length, 0xee)
      before.copy(expected, to, from, from + size)
      assert.ok(expected.equals(target.bytes))
    },
  )
  fc.assert(property, { numRuns: short(500, 100) })
})

test('pieces are joined in order, each message in memory of its own, within its limit', () => {
  const maxBytes = 20_000
  const step = fc.record({
    message: fc.nat(2),
    size: fc.oneof(fc.nat(10), fc.nat(3_000)),
    expected: fc.oneof(fc.nat(5_000), fc.constant(2 ** 40)),
    ends: fc.boolean(),
  })
  const property = fc.property(fc.array(step, { maxLength: 40 }), steps => {
    const messages = Array.from({ length: 3 }, () => ({
      joined: new Joined(),
      sent: [] as Buffer[],
    }))
    for (const [n, { message, size, expected, ends }] of steps.entries()) {
      const one = messages[message]!
      const { joined, sent } = one
      const piece = Buffer.alloc(Math.min(size, maxBytes - joined.length), n + 1)
      joined.add(piece, expected, maxBytes)
      sent.push(piece)
      for (const each of messages) {
        const whole = Buffer.concat(each.sent)
        assert.equal(each.joined.length, whole.length)
        assert.ok(whole.equals(each.joined.bytes.subarray(0, each.joined.length)))
      }
      if (!ends) continue
      joined.free()
      one.joined = new Joined()
      one.sent = []
    }
  })
  fc.assert(property, { numRuns: short(500, 60) })
})

test('a million pieces are copied a few times, and a long frame gets no memory in advance', () => {
  const joined = new Joined()
  const piece = Uint8Array.of(1)
  let grown = 0
  for (let n = 0, last = joined.bytes; n < 200_000; n++) {
    joined.add(piece, 1, 2 ** 30)
    if (joined.bytes !== last) grown++
    last = joined.bytes
  }
  assert.ok(grown <= 9, `${grown}`)
  assert.ok(joined.bytes.length <= 2 * 200_000)
  const liar = new Joined()
  liar.add(piece, 2 ** 40, 2 ** 40)
  assert.ok(liar.bytes.length <= 400_000)
})
