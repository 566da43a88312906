/** Requests for an upgrade, right and wrong ones, and what they get. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { acceptance, mayBeRequest, parseRequest, upgradeRefusalOf, refusalText } from './upgrade.ts'

/** The example of RFC 6455 section 1.3. */
const example = {
  Host: 'server.example.com',
  Upgrade: 'websocket',
  Connection: 'keep-alive, Upgrade',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
  Origin: 'http://example.com',
  'Sec-WebSocket-Protocol': 'chat, superchat',
  'Sec-WebSocket-Version': '13',
}
const textOf = (headers: Record<string, string>, line = 'GET /chat HTTP/1.1') =>
  [line, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)].join('\r\n')

/** The status, and the text of an answer of 101. */
function answerTo(text: string, origins?: string[]): [status: number, answer: string] {
  const request = parseRequest(text)
  if (Array.isArray(request)) return [request[0], request[1]]
  const answer = upgradeRefusalOf(request, origins) ?? acceptance(request)
  return typeof answer === 'string' ? [101, answer] : [answer[0], answer[1]]
}

test('the example of the RFC is answered as there, with the first subprotocol', () => {
  const [status, answer] = answerTo(textOf(example))
  assert.equal(status, 101)
  assert.deepEqual(answer.split('\r\n').slice(1), [
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
    'Sec-WebSocket-Protocol: chat',
    '',
    '',
  ])
})

test('what is wrong with a request gets its status', () => {
  const without = (name: string) =>
    Object.fromEntries(Object.entries(example).filter(([key]) => key !== name))
  const asks: [text: string, status: number, why: RegExp][] = [
    [textOf(example, 'GET /chat HTTP/1.0'), 426, /echo server/],
    [textOf(without('Upgrade')), 426, /echo server/],
    [textOf({ ...example, Connection: 'close' }), 426, /echo server/],
    [textOf({ ...example, Connection: 'upgrades' }), 426, /echo server/],
    [textOf({ ...example, Upgrade: 'websocket, h2c' }), 426, /echo server/],
    [textOf(example, 'PUT /chat HTTP/1.1'), 405, /GET/],
    [textOf(without('Sec-WebSocket-Version')), 426, /13/],
    [textOf(without('Sec-WebSocket-Key')), 400, /Key/],
    [textOf({ ...example, 'Sec-WebSocket-Protocol': 'a,,b' }), 400, /Protocol/],
    [textOf({ ...example, 'Sec-WebSocket-Protocol': 'a, a' }), 400, /Protocol/],
    [textOf({ ...example, Origin: 'http://example.com.evil' }), 403, /origin/],
    [textOf({ ...example, 'Content-Length': '5' }), 400, /body/],
    [textOf({ ...example, 'Transfer-Encoding': 'chunked' }), 400, /body/],
    [`${textOf(example)}\r\n folded`, 400, /not an HTTP request/],
    [`${textOf(example)}\r\nName : x`, 400, /not an HTTP request/],
    ['GET /a b HTTP/1.1', 400, /not an HTTP request/],
  ]
  for (const [text, status, why] of asks) {
    const [got, said] = answerTo(text, ['http://example.com'])
    assert.equal(got, status, text)
    assert.match(said, why)
  }
  // Twice the same header is not the first of them.
  const twice = `${textOf(without('Origin'))}\r\nOrigin: http://a\r\norigin: http://b`
  assert.equal(answerTo(twice, ['http://a'])[0], 403)
  assert.equal(answerTo(textOf(without('Origin')), ['http://a'])[0], 101)
  assert.match(
    refusalText([403, 'No.']),
    /^HTTP\/1\.1 403 Forbidden\r\n[^]*Length: 4\r\n\r\nNo\.\n$/,
  )
  assert.match(refusalText([403, 'No.'], false), /Length: 4\r\n\r\n$/)
})

test('each beginning of a request may be one; what is none is seen at its first wrong byte', () => {
  const text = `${textOf(example)}\r\n`
  for (let at = 1; at <= text.length; at++) {
    assert.ok(mayBeRequest(text.slice(0, at)), text.slice(0, at))
    assert.ok(mayBeRequest(text.slice(0, at), at - 1), text.slice(0, at))
  }
  for (const wrong of ['\x16', 'g', 'GET\t', 'GET  ', 'GET / x', 'GET / HTTP/1.1\n', '\r']) {
    assert.ok(!mayBeRequest(wrong), wrong)
    const before = wrong.length - 1
    assert.ok(before === 0 || mayBeRequest(wrong.slice(0, before)), wrong)
    assert.ok(!mayBeRequest(wrong, before), wrong)
  }
})

test('any bytes get an answer', () => {
  const piece = fc.oneof(
    fc.string({ unit: 'binary-ascii', maxLength: 20 }),
    fc.constantFrom(...Object.entries(example).map(([name, value]) => `${name}: ${value}`)),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 10 }), fc.constantFrom('\r\n', '\n'), (lines, end) => {
      const text = ['GET / HTTP/1.1', ...lines].join(end)
      mayBeRequest(text)
      assert.ok([101, 400, 403, 405, 426].includes(answerTo(text)[0]))
    }),
  )
})
