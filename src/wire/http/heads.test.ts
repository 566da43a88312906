/** Heads of HTTP: of answers, of a tunnel, and the headers that a user adds. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { short } from '../../full.suite.ts'
import { UserError } from '../../vocabulary/errors.ts'
import { ProtocolError } from '../../vocabulary/peer-errors.ts'
import {
  chunkSize,
  framingOf,
  parseHead,
  splitHeader,
  trimmedValue,
  valuesOf,
} from './answer-head.ts'
import type { AnswerHead } from './answer-head.ts'
import * as added from './headers.ts'
import { connectRequest, readTunnelAnswer } from './tunnel.ts'

const numRuns = short(1_000, 100)

/** What may stand in a value: all but control characters; as latin1. */
const inValue = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).filter(one =>
  /[\t -~\x80-\xff]/.test(one),
)
const name = fc.oneof(
  fc.stringMatching(/^[!#$%&'*+.^_`|~\w-]{1,12}$/),
  // Names that an object has already.
  fc.constantFrom('constructor', '__proto__', 'toString', 'valueOf'),
)
const text = fc.string({ unit: fc.constantFrom(...inValue), maxLength: 20 })
const value = text.filter(one => trimmedValue(one) === one)
const headers = fc.array(fc.tuple(name, value), { maxLength: 6 })
const head = fc.record<AnswerHead>(
  {
    version: fc.constantFrom('1.0', '1.1'),
    status: fc.integer({ min: 100, max: 999 }).filter(status => status !== 101),
    reason: text,
    headers,
  },
  { noNullPrototype: true },
)
/** Around a value may be spaces. */
const space = fc.constantFrom('', ' ', '\t', '  \t')
const write = ({ version, status, reason, headers }: AnswerHead, [before, after] = [' ', '']) =>
  [
    `HTTP/${version} ${status} ${reason}`,
    ...headers.map(([key, one]) => `${key}:${before}${one}${after}`),
  ].join('\r\n')

test('a head is read as it was written, whatever spaces are around its values', () => {
  const property = fc.property(head, fc.tuple(space, space), (wanted, around) => {
    assert.deepEqual(parseHead(write(wanted, around)), wanted)
    for (const [key, one] of wanted.headers) {
      const same = wanted.headers.filter(([other]) => other.toLowerCase() === key.toLowerCase())
      const values = valuesOf(wanted.headers, key.toLowerCase())
      assert.deepEqual(
        values,
        same.map(([, each]) => each),
      )
      assert.ok(values.includes(one))
    }
  })
  fc.assert(property, { numRuns })
})

/** What it returns; undefined if it is refused. Every other error is thrown. */
function orRefused<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof ProtocolError) return undefined
    throw error
  }
}

test('any text is a head or is refused, wherever it is cut', () => {
  const piece = fc.oneof(
    fc.string({ unit: 'binary-ascii', maxLength: 12 }),
    fc.constantFrom('HTTP/1.1 200 OK', '\r\n', '\r', '\n', ': ', 'Content-Length: 1', ' x'),
  )
  const property = fc.property(fc.array(piece, { maxLength: 8 }), head, (pieces, whole) => {
    orRefused(() => parseHead(pieces.join('')))
    orRefused(() => splitHeader(pieces.join('')))
    orRefused(() => chunkSize(pieces.join('')))
    const written = write(whole)
    for (let length = 0; length < written.length; length++)
      orRefused(() => framingOf(parseHead(written.slice(0, length))))
  })
  fc.assert(property, { numRuns: short(500, 50) })
})

test('the length of a body follows from the head as RFC 9112 section 6.3 says', () => {
  const lengthOf = (status: number, ...lines: string[]) =>
    orRefused(() => framingOf(parseHead([`HTTP/1.1 ${status} `, ...lines].join('\r\n'))))
  assert.equal(lengthOf(200), 'until-close')
  assert.equal(lengthOf(200, 'content-length: 0'), 0)
  assert.equal(lengthOf(200, 'CONTENT-LENGTH: 999999999999999'), 999_999_999_999_999)
  assert.equal(lengthOf(200, 'Transfer-Encoding: CHUNKED'), 'chunked')
  for (const status of [204, 304]) assert.equal(lengthOf(status, 'Content-Length: 5'), 0)
  for (const wrong of ['-1', '+1', '1e3', '0x1', '', '1 1', '1,1', '9'.repeat(16), '\u0661'])
    assert.equal(lengthOf(200, `Content-Length: ${wrong}`), undefined, wrong)
  for (const wrong of ['gzip', 'chunked, chunked', 'gzip, chunked', ''])
    assert.equal(lengthOf(200, `Transfer-Encoding: ${wrong}`), undefined, wrong)
})

test('a chunk says its size in hexadecimal, with whatever extensions; else it is refused', () => {
  const extension = fc.constantFrom('', ';a', ';a=b', ';a="b;\t~"', ';a;b=""', ';a=')
  const size = fc.oneof(fc.nat(), fc.maxSafeNat())
  const property = fc.property(size, extension, fc.boolean(), (bytes, more, upper) => {
    const digits = bytes.toString(16)
    assert.equal(chunkSize(`${upper ? digits.toUpperCase() : digits}${more}`), bytes)
  })
  fc.assert(property, { numRuns })
  assert.equal(chunkSize('0000000000000001'), 1)
  const wrong = ['', '-1', '+1', ' 1', '1 ', '0x1', 'g', '1;', '1;a b', '1;a="', '1;a="\\"']
  for (const line of [...wrong, 'f'.repeat(16), '20000000000000', '1'.repeat(17)])
    assert.equal(
      orRefused(() => chunkSize(line)),
      undefined,
      line,
    )
})

test('a tunnel begins behind the answer, and behind interim ones; cut anywhere it waits', () => {
  const interim = head.map(one => ({ ...one, status: 102 + (one.status % 98) }))
  const final = head.map(one => ({ ...one, status: 200 + (one.status % 100) }))
  const property = fc.property(
    fc.array(interim, { maxLength: 2 }),
    final,
    fc.uint8Array(),
    (before, last, rest) => {
      const heads = [...before, last].map(each => `${write(each)}\r\n\r\n`).join('')
      const bytes = Buffer.concat([Buffer.from(heads, 'latin1'), rest])
      assert.deepEqual(readTunnelAnswer(bytes, false), { headBytes: heads.length })
      for (let length = 0; length < heads.length; length++) {
        const part = bytes.subarray(0, length)
        assert.equal(readTunnelAnswer(part, false), undefined)
        assert.ok('refusedBecause' in readTunnelAnswer(part, true)!)
      }
    },
  )
  fc.assert(property, { numRuns: short(200, 30) })
})

test('whatever a proxy says, it is an answer, a refusal in printable words, or not over', () => {
  const begun = fc.constantFrom('', 'HTTP/1.1 407 Authenticate\r\n', 'HTTP/1.1 200 OK\r\n')
  const property = fc.property(begun, fc.uint8Array(), fc.boolean(), (begin, rest, cut) => {
    const bytes = Buffer.concat([Buffer.from(begin), rest, Buffer.from(cut ? '' : '\r\n\r\n')])
    const said = readTunnelAnswer(bytes, true)!
    if ('headBytes' in said) assert.ok(said.headBytes <= bytes.length)
    else assert.match(said.refusedBecause, /^[^\p{Cc}]+$/u)
  })
  fc.assert(property, { numRuns })
  const because = (text: string, ended = false) => {
    const said = readTunnelAnswer(Buffer.from(text), ended)
    return said && 'refusedBecause' in said ? said.refusedBecause : said
  }
  assert.equal(
    because('HTTP/1.1 403 No\x1b[2J\r\n\r\n'),
    'the answer has control characters in its reason',
  )
  assert.equal(because('HTTP/1.1 502 Bad Gateway\r\n\r\n'), 'it says 502 Bad Gateway')
  assert.equal(because('', true), 'it closed the connection')
  assert.equal(because('SSH-2.0', true), 'it did not answer in HTTP')
  const endless = `HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(4_000)}`
  assert.equal(because(endless), 'its answer has no end')
  assert.equal(because(`${endless}\r\n`), 'its answer has no end')
  assert.equal(because(`HTTP/1.1 103 \r\n\r\n`.repeat(2_000)), 'its answer has no end')
})

test('a tunnel is asked for as RFC 9110 section 9.3.6 says', () => {
  assert.equal(
    connectRequest('[::1]:7', 'a:b'),
    'CONNECT [::1]:7 HTTP/1.1\r\nHost: [::1]:7\r\nProxy-Authorization: Basic YTpi\r\n\r\n',
  )
  assert.equal(connectRequest('a:7', undefined), 'CONNECT a:7 HTTP/1.1\r\nHost: a:7\r\n\r\n')
})

/** Those that frame messages. */
const framing = [
  'connection content-length expect host http2-settings keep-alive proxy-connection te trailer',
  'transfer-encoding upgrade',
].flatMap(names => names.split(' '))
const isOwn = (key: string) => framing.includes(key.toLowerCase()) || /^sec-websocket-/i.test(key)
const free = fc.array(
  fc.tuple(
    name.filter(key => !isOwn(key)),
    value,
  ),
  { maxLength: 6 },
)

test('added headers are read as they were written, on the command line and in a file', () => {
  const property = fc.property(free, space, space, (wanted, before, after) => {
    const lines = wanted.map(([key, one]) => `${key}:${before}${one}${after}`)
    assert.deepEqual(added.headersOf({ headers: lines }), wanted)
    // A line that begins with # is a comment there.
    const kept = wanted.filter(([key]) => !key.startsWith('#'))
    const file = ['# a comment', '', ...lines].join('\r\n')
    assert.deepEqual(added.headersOf({ headerFile: file }), kept)
    for (const [n, line] of lines.entries()) {
      const [key, one] = wanted[n]!
      const isSecret = /auth|cookie|key|password|secret|token/i.test(key)
      assert.equal(added.showHeader(line), `${key}: ${isSecret ? '...' : one}`)
    }
  })
  fc.assert(property, { numRuns })
})

test('as an object no header is lost, whatever its name is', () => {
  const property = fc.property(headers, wanted => {
    const object = added.asObject(wanted)
    const keys = [...new Set(wanted.map(([key]) => key.toLowerCase()))]
    assert.deepEqual(Object.keys(object).toSorted(), keys.toSorted())
    for (const key of keys) {
      const values = wanted.filter(([other]) => other.toLowerCase() === key).map(([, one]) => one)
      assert.deepEqual(object[key], values.length === 1 ? values[0] : values)
    }
  })
  fc.assert(property, { numRuns })
})

test('what is added replaces the usual headers of its name, in any case, and no others', () => {
  const property = fc.property(headers, headers, (usual, more) => {
    const all = added.withUsual(usual, more)
    assert.deepEqual(all.slice(all.length - more.length), more)
    const names = more.map(([key]) => key.toLowerCase())
    const kept = usual.filter(([key]) => !names.includes(key.toLowerCase()))
    assert.deepEqual(all.slice(0, all.length - more.length), kept)
  })
  fc.assert(property, { numRuns })
})

test('a header that frames messages, or is none, is refused, and a secret is not repeated', () => {
  const wrong = ['Connection: close', 'CONTENT-LENGTH: 1', 'Sec-WebSocket-Key: a', 'Host: a b']
  const none = ['', ':', ': a', 'a', 'a b: c', 'a: \n', 'a: \x7f', 'a\n: b', 'ä: b', 'a: \u20ac']
  for (const line of [...wrong, ...none])
    assert.throws(() => added.parseHeader(line), UserError, JSON.stringify(line))
  const isTold = ({ message }: Error) => message.includes('hunter2')
  assert.throws(
    () => added.parseHeader('Authorization Basic hunter2'),
    (error: Error) => !isTold(error),
  )
  assert.deepEqual(added.parseHeader('Host: [::1]:80 '), ['Host', '[::1]:80'])
})
