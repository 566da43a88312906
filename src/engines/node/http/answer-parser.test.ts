/** The reader of answers: whatever they are cut into, and what it does not take. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ProtocolError } from '../../failures.ts'
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

test('what is no answer is refused', () => {
  const start = 'HTTP/1.1 200 OK\r\n'
  for (const bad of [
    'SSH-2.0-OpenSSH_9.2\r\n',
    'HTTP/2 200 OK\r\n\r\n',
    'HTTP/1.1 OK\r\n\r\n',
    `${start}no colon\r\n\r\n`,
    `${start}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`,
    `${start}Content-Length: -1\r\n\r\n`,
    `${start}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`,
    `${start}Transfer-Encoding: gzip\r\n\r\n`,
    `${start}Transfer-Encoding: chunked\r\n\r\nhello\r\n`,
    `${start}Transfer-Encoding: chunked\r\n\r\n1\r\nhello\r\n`,
    `${start}A: ${'a'.repeat(70_000)}`,
  ])
    assert.throws(() => read([Buffer.from(bad)]), ProtocolError, bad.slice(0, 80))
})

test('an end within an answer is none', () => {
  for (const cut of ['HTTP/1.1 2', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell'])
    assert.equal(read([Buffer.from(cut)]).ended, false)
})
