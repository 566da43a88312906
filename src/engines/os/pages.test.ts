/** What is sent by reference arrives as it was, whatever the socket takes at once. Linux, FFI. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { loadLibc, type Libc } from './libc.ts'
import { Pages, PageSender } from './pages.ts'

const libc = process.platform === 'linux' ? loadLibc() : 'This is not Linux.'
const skip = typeof libc === 'string' && libc
const descriptorOf = (socket: Socket) =>
  (socket as unknown as { _handle: { fd: number } })._handle.fd

test('pages: what the socket did not take is not in the pipe any more', { skip }, async () => {
  const pages = new Pages(libc as Libc, 200_000)
  for (let at = 0; at < pages.bytes.length; at++) pages.bytes[at] = (at * 7 + (at >> 8)) & 0xff
  const sender = PageSender.open(libc as Libc)!
  const server = createServer({ pauseOnConnect: true }).listen(0)
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const socket = connect(port, '127.0.0.1')
  const [[far]] = (await Promise.all([once(server, 'connection'), once(socket, 'connect')])) as [
    [Socket],
    unknown,
  ]
  const [head, rest] = [pages.bytes.subarray(3, 11), pages.bytes.subarray(5_000, 70_001)]
  const pieces = [head, rest, head, rest].map(
    piece => [pages.addressAt(piece.byteOffset), piece.length] as const,
  )
  const whole = Buffer.concat([head, rest, head, rest])
  const sent: Buffer[] = []
  // Nothing is read, so at some time it takes less.
  for (let taken = whole.length; taken === whole.length;) {
    for (const [address, bytes] of pieces) assert.ok(sender.add(address, bytes))
    taken = sender.send(descriptorOf(socket))
    sent.push(whole.subarray(0, taken))
  }
  assert.equal(sender.isBroken, false)
  const expected = Buffer.concat(sent)
  const came: Buffer[] = []
  far.on('data', chunk => came.push(chunk)).resume()
  socket.end('end')
  await once(far, 'end')
  assert.ok(Buffer.concat(came).equals(Buffer.concat([expected, Buffer.from('end')])))
  far.destroy()
  server.close()
})

test('pages: as much is added as the pipe has room for', { skip }, () => {
  const pages = new Pages(libc as Libc, 10)
  assert.equal(pages.addressAt(9) - pages.addressAt(0), 9)
  const sender = PageSender.open(libc as Libc)!
  let added = 0
  while (sender.add(pages.addressAt(0), 1)) added++
  // A page for each piece, of 1 MiB.
  assert.equal(added, 256)
  sender.close()
})
