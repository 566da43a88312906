/** The reader of answers against that of Node: what Node refuses, it refuses. */
import assert from 'node:assert/strict'
import http, { type IncomingMessage } from 'node:http'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import fc from 'fast-check'
import { short } from '../../full.suite.ts'
import { AnswerParser, type AnswerHead } from './answer-parser.ts'

interface Read {
  status: number
  headers: string[]
  body: string
}

/** What Node makes of it; undefined: no whole answer, or none that it takes. */
function byNode(pieces: Buffer[]): Promise<Read | undefined> {
  return new Promise(resolve => {
    const socket = new Duplex({ read: () => {}, write: (_c, _e, done) => done() })
    // Node takes it for a net.Socket.
    for (const name of ['setTimeout', 'setNoDelay', 'setKeepAlive', 'ref', 'unref'])
      Object.assign(socket, { [name]: () => socket })
    const request = http.request({
      method: 'POST',
      maxHeaderSize: 65_536,
      createConnection: () => socket,
    })
    request.on('error', () => resolve(undefined))
    request.on('upgrade', () => resolve(undefined))
    request.on('response', (response: IncomingMessage) => {
      const body: Buffer[] = []
      response.on('data', (piece: Buffer) => body.push(piece))
      response.on('error', () => resolve(undefined))
      response.on('end', () =>
        resolve({
          status: response.statusCode!,
          headers: response.rawHeaders,
          body: Buffer.concat(body).toString('latin1'),
        }),
      )
      response.on('close', () => resolve(undefined))
    })
    request.end()
    setImmediate(() => {
      for (const piece of pieces) socket.push(piece)
      socket.push(null)
    })
  })
}

/** The same of ours. */
function byUs(pieces: Buffer[]): Read | 'more' | undefined {
  const heads: AnswerHead[] = []
  let body = ''
  let ends = 0
  const parser = new AnswerParser({
    onHead: head => heads.push(head),
    onBody: piece => (body += piece.toString('latin1')),
    onEnd: () => ends++,
  })
  try {
    for (const piece of pieces) {
      // Whether Node sees what comes behind an answer in a piece of its own, is chance.
      if (ends > 0 && piece.length > 0) return 'more'
      parser.feed(piece)
    }
    if (!parser.close() || ends !== 1) return undefined
  } catch {
    return undefined
  }
  const [head] = heads as [AnswerHead]
  return { status: head.status, headers: head.headers.flat(), body }
}

const special =
  '\r|\n|\r\n|\r\n\r\n| |\t|\0|:|;|,|"|\\|\x7f|\x1f|\x80|0|2|a|é|(|=|\r\n |chunked|' +
  'Content-Length: 2\r\n'
const starts =
  'HTTP/1.1 200 OK|HTTP/1.0 200 OK|HTTP/1.1 200|HTTP/1.1 404 |HTTP/1.1 204 No|HTTP/1.1 304 Not|' +
  'HTTP/1.1 205 R|HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK'
const lines =
  'X: a|X:a|X-A:  b c\t|X:|X-B: 1|Date: today|X: \xe9|X: a\r\n b|X : a|: a|no colon|X(: a|' +
  'X: a\x01|Connection: close'
const oneOf = (all: string) => fc.constantFrom(...all.split('|'))

const framings: [line: string, body: string][] = [
  ['Content-Length: 2', 'hi'],
  ['content-length:02', 'hi'],
  ['Content-Length: 0', ''],
  ['Content-Length: 2, 2', 'hi'],
  ['Content-Length: +2', 'hi'],
  ['Content-Length: 2\r\nContent-Length: 2', 'hi'],
  ['Content-Length: 2\r\nContent-Length: 3', 'hi'],
  ['Content-Length: 2\r\nTransfer-Encoding: chunked', '2\r\nhi\r\n0\r\n\r\n'],
  ['X-No: length', 'to the end'],
  ['Transfer-Encoding: gzip, chunked', '2\r\nhi\r\n0\r\n\r\n'],
  ...[
    '2\r\nhi\r\n0\r\n\r\n',
    '002;a=b\r\nhi\r\nA\r\n0123456789\r\n000\r\n\r\n',
    '2 \r\nhi\r\n0\r\n\r\n',
    '2;a="b c";d\r\nhi\r\n0\r\nX: y\r\n\r\n',
    '2; a\r\nhi\r\n0\r\n\r\n',
    '2\r\nhi\r\n0\r\nX y\r\n\r\n',
    '2\r\nhi\r\n0\r\nContent-Length: 2\r\n\r\n',
    '2\r\nhix\r\n0\r\n\r\n',
    '2\nhi\r\n0\r\n\r\n',
  ].map((body): [string, string] => ['Transfer-Encoding: chunked', body]),
]

const damage = fc.record({
  place: fc.nat(999),
  removed: fc.nat(2),
  added: oneOf(`|${special}`),
})

const answers = fc
  .record({
    start: oneOf(starts),
    before: fc.array(oneOf(lines), { maxLength: 2 }),
    framing: fc.constantFrom(...framings),
    after: fc.array(oneOf(lines), { maxLength: 1 }),
    damages: fc.array(damage, { maxLength: 2 }),
    cuts: fc.array(fc.nat(999), { maxLength: 4 }),
  })
  .map(({ start, before, framing: [line, body], after, damages, cuts }) => {
    let text = `${[start, ...before, line, ...after].join('\r\n')}\r\n\r\n${body}`
    for (const { place, removed, added } of damages) {
      const at = Math.floor((place * text.length) / 1000)
      text = text.slice(0, at) + added + text.slice(at + removed)
    }
    const places = cuts.map(cut => Math.floor((cut * text.length) / 1000)).toSorted((a, b) => a - b)
    return { text, places }
  })

const folded = 'a folded line becomes a space'

/** Where ours is stricter, or reads on: each with its reason. */
function differs(text: string): string | undefined {
  const end = text.indexOf('\r\n\r\n') + 2
  const [head, rest] = [text.slice(0, end), text.slice(end)]
  if (/\r\n[ \t]/.test(text)) return folded
  if (!/^HTTP\/1\.[01] [1-9]\d\d/.test(text)) return 'another version, no status, an empty line'
  if (/^HTTP\/1\.\d 1/.test(text)) return 'what comes before the answer'
  if (!/^[\t -~\x80-\xff]*[\r\n]/.test(text)) return 'control characters in a reason'
  if (/[\r\n]$/.test(rest) && !/transfer-encoding:/i.test(head))
    return 'line ends behind the answer'
  if (/transfer-encoding:/i.test(head)) {
    if (!/transfer-encoding: *chunked *\r\n/i.test(head)) return 'a coding but chunked'
    if (head.startsWith('HTTP/1.0')) return 'chunks in HTTP/1.0 (RFC 9112 section 6.1)'
    if (/transfer-encoding:[^]*transfer-encoding:/i.test(head)) return 'chunked twice'
    if (/;(?!\w)|"[^\r\n]*[^\t -~][^\r\n]*"|\\/.test(rest)) return 'odd extensions'
  }
  return undefined
}

test('what Node refuses is refused, and what it takes is read as Node reads it', async () => {
  await fc.assert(
    fc.asyncProperty(answers, async ({ text, places }) => {
      const bytes = Buffer.from(text, 'latin1')
      const ends = [0, ...places, bytes.length]
      const pieces = ends.slice(1).map((end, n) => bytes.subarray(ends[n], end))
      const theirs = await byNode(pieces.filter(({ length }) => length > 0))
      const ours = byUs(pieces)
      if (ours === 'more') return
      const why = differs(text)
      if (why === undefined) assert.deepEqual(ours, theirs, JSON.stringify(text))
      else if (why !== folded && !theirs) assert.equal(ours, undefined, JSON.stringify(text))
    }),
    { numRuns: Number(process.env.RUNS ?? short(400, 60)) },
  )
})

test('a folded line becomes a space, wherever it is cut', () => {
  const text = 'HTTP/1.1 200 OK\r\nX-A: one\r\n two\r\n\t three\r\nContent-Length:\r\n 2\r\n\r\nhi'
  for (let cut = 0; cut <= text.length; cut++) {
    const read = byUs([Buffer.from(text.slice(0, cut)), Buffer.from(text.slice(cut))])
    assert.ok(typeof read === 'object')
    assert.deepEqual(read.headers, ['X-A', 'one two three', 'Content-Length', '2'])
  }
  assert.equal(
    byUs([Buffer.from('HTTP/1.1 200 OK\r\n X: a\r\nContent-Length: 0\r\n\r\n')]),
    undefined,
  )
})

test('a head beyond 64 KiB is refused, however it comes; up to there it is read', async () => {
  const head = (bytes: number) => {
    const [start, end] = ['HTTP/1.1 200 OK\r\nX: ', '\r\nContent-Length: 0\r\n\r\n']
    return Buffer.from(start + 'a'.repeat(bytes - start.length - end.length) + end)
  }
  const large = head(65_536)
  assert.equal((byUs([large]) as Read).status, 200)
  assert.equal(byUs([head(65_536 + 5)]), undefined)
  assert.equal(byUs([head(200_000)]), undefined)
  assert.equal(await byNode([head(200_000)]), undefined)
})
