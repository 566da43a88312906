/** The reader of answers: whatever they are cut into, and what it does not take. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ProtocolError } from '../../vocabulary/peer-errors.ts'
import { AnswerParser, type AnswerHead } from './answer-parser.ts'

/** What a parser says to these pieces, and whether the end may come then. */
function read(pieces: Buffer[]) {
  const answers: { head: AnswerHead; body: string; complete: boolean }[] = []
  const parser = new AnswerParser({
    onHead: head => answers.push({ head, body: '', complete: false }),
    onBody: piece => (answers.at(-1)!.body += piece.toString('latin1')),
    onEnd: () => (answers.at(-1)!.complete = true),
  })
  for (const piece of pieces) parser.feed(piece)
  return { answers, ended: parser.close() }
}

const text =
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: 1\r\nA:2 \r\nContent-Length: 5\r\n\r\nhello' +
  'HTTP/1.1 204\r\n\r\nHTTP/1.1 503 Not now\r\nTransfer-Encoding: chunked\r\n\r\n' +
  '3;x="y"\r\nabc\r\n02\r\n\r\n\r\n0\r\nTrailer: 1\r\n\r\nHTTP/1.0 200 OK\r\n\r\nto the end'

test('answers are the same, whatever they are cut into', () => {
  const bytes = Buffer.from(text, 'latin1')
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length), { maxLength: 40 }), cuts => {
      const places = [0, ...cuts.toSorted((a, b) => a - b), bytes.length]
      const pieces = places.slice(1).map((end, n) => bytes.subarray(places[n], end))
      const { answers, ended } = read(pieces)
      assert.deepEqual(
        answers.map(({ head, body, complete }) => [head.status, head.reason, body, complete]),
        [
          [200, 'OK', 'hello', true],
          [204, '', '', true],
          [503, 'Not now', 'abc\r\n', true],
          [200, 'OK', 'to the end', true],
        ],
      )
      assert.deepEqual(answers[0]!.head.headers.slice(0, 2), [
        ['A', '1'],
        ['A', '2'],
      ])
      assert.ok(ended)
    }),
  )
})

test('a head that comes again is read again, and one that differs by a byte is another', () => {
  const each = [
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
    'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhell',
    'HTTP/1.1 201 OK\r\nContent-Length: 5\r\n\r\nHTTP/',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n',
    'HTTP/1.1 204\r\n\r\n',
    `HTTP/1.1 200 OK\r\nA: ${'a'.repeat(5_000)}\r\nContent-Length: 1\r\n\r\nh`,
  ]
  const cutAt = fc.array(fc.nat(20_000), { maxLength: 12 })
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...each), { maxLength: 12 }), cutAt, (sent, cuts) => {
      const bytes = Buffer.from(sent.join(''), 'latin1')
      const sorted = cuts.map(at => at % (bytes.length + 1)).toSorted((a, b) => a - b)
      const pieces = [0, ...sorted].map((from, n) => bytes.subarray(from, sorted[n]))
      const apart = sent.flatMap(one => read([Buffer.from(one, 'latin1')]).answers)
      assert.deepEqual(read(pieces).answers, apart)
    }),
  )
})

test('what is no answer is refused at once, and it is said why', () => {
  const start = 'HTTP/1.1 200 OK\r\n'
  const chunked = `${start}Transfer-Encoding: chunked\r\n\r\n`
  const length = 'Content-Length: 1\r\n'
  for (const [bad, why] of [
    ['SSH-2.0-OpenSSH_9.2\r\n', 'is not HTTP/1.1'],
    ['HTTP/2 200 OK\r\n', 'is not HTTP/1.1'],
    ['HTTP/1.1 OK\r\n', 'has no status of three digits'],
    ['HTTP/1.1 200 O\0K\r\n', 'has control characters in its reason'],
    ['HTTP/1.1 200 OK\nX: a\nContent-Length: 64\n\n', 'has a bare LF in its head'],
    ['HTTP/1.1 200 OK\nX: a\r\n\r\n', 'has a bare LF in its head'],
    [`${start}X: a\n`, 'has a bare LF in its head'],
    [`${start}X: a\n\r\n\r\n`, 'has a bare LF in a header'],
    [`${start}X: a\rY: b`, 'has a bare CR in its head'],
    [`${start}no colon\r\n\r\n`, 'has a header without a colon'],
    [`${start}: a\r\n\r\n`, 'has a header without a name'],
    [`${start}X : a\r\n\r\n`, 'has a space before the colon of a header'],
    [`${start}X(: a\r\n\r\n`, 'has a header whose name has other characters than a name may have'],
    [`${start}X: \0\r\n\r\n`, 'has control characters in a header'],
    [`${start}${length}Content-Length: 2\r\n\r\n`, 'has more than one Content-Length'],
    [`${start}Content-Length: -1\r\n\r\n`, 'has a Content-Length that is not a number'],
    [
      `${start}${length}Transfer-Encoding: chunked\r\n\r\n`,
      'has both a Content-Length and a Transfer-Encoding',
    ],
    [`${start}Transfer-Encoding: gzip\r\n\r\n`, 'has a transfer coding that was not asked for'],
    [chunked.replace('1.1', '1.0'), 'has chunks, which HTTP/1.0 does not know'],
    [`${chunked}hello`, 'has a chunk without a size'],
    [`${chunked}1 \r\n`, 'has a malformed size of a chunk'],
    [`${chunked}1\nh`, 'has a bare LF in the lines around a chunk'],
    [`${chunked}1\nh\r\n`, 'has a bare LF in the lines around a chunk'],
    [`${chunked}1\r\nh\n`, 'has a bare LF in the lines around a chunk'],
    [`${chunked}1\r\nhello`, 'has a chunk that is longer than it says'],
    [`${chunked}1\r\nh\r\r\n`, 'has a chunk that is longer than it says'],
    [`${chunked}0\r\n\n`, 'has a bare LF in its trailer'],
    [`${chunked}0\r\nX: a\n`, 'has a bare LF in its trailer'],
  ] as const) {
    const refused = new ProtocolError(`the answer ${why}`)
    const bytes = Buffer.from(bad, 'latin1')
    assert.throws(() => read([bytes]), refused, JSON.stringify(bad))
    // Byte by byte it may be known earlier, and by another name, but not later.
    const each = Array.from(bytes, byte => Buffer.from([byte]))
    assert.throws(() => read(each), ProtocolError, JSON.stringify(bad))
  }
  const endless = `${start}A: ${'a'.repeat(70_000)}`
  assert.throws(
    () => read([Buffer.from(endless)]),
    new ProtocolError('the head of the answer is endless'),
  )
})

test('an end within an answer is none', () => {
  for (const cut of ['HTTP/1.1 2', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell'])
    assert.equal(read([Buffer.from(cut)]).ended, false)
})
