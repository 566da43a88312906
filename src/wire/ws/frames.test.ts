/** Frames as bytes: the examples of the RFC, and a reader of another hand. */
import assert from 'node:assert/strict'
import type { Writable } from 'node:stream'
import { test } from 'node:test'
import fc from 'fast-check'
import * as ws from 'ws'
import { frameHeader, headerMaxBytes, maskedFrame, opcode, putFrame } from './frames.ts'

/** A frame that begins at `from`. */
function put(code: number, payload: Uint8Array, masked: boolean, from = 0): Buffer {
  const into = Buffer.alloc(from + headerMaxBytes + payload.length)
  return into.subarray(from, putFrame(into, from, code, payload, masked))
}

test('frames are as RFC 6455 section 5.7 shows them', () => {
  const hello = Buffer.from('Hello')
  assert.equal(put(opcode.text, hello, false).toString('hex'), '810548656c6c6f')
  assert.equal(put(opcode.pong, hello, false, 3).toString('hex'), '8a0548656c6c6f')
  assert.equal(frameHeader(opcode.binary, 256).toString('hex'), '827e0100')
  assert.equal(frameHeader(opcode.binary, 65_536).toString('hex'), '827f0000000000010000')
})

/** What the package ws reads; its types do not name the class. */
function read(bytes: Buffer, isServer: boolean): { data: Buffer; isBinary: boolean }[] {
  const { Receiver } = ws as unknown as { Receiver: new (options: object) => Writable }
  const receiver = new Receiver({ isServer, maxPayload: 2 ** 20 })
  const messages: { data: Buffer; isBinary: boolean }[] = []
  receiver.on('message', (data: Buffer, isBinary: boolean) => messages.push({ data, isBinary }))
  receiver.on('error', error => assert.fail(error))
  receiver.write(bytes)
  return messages
}

test('another reader gets every payload back, of any length, masked or not', () => {
  const bounds = [0, 1, 2, 3, 4, 125, 126, 127, 65_535, 65_536, 65_537]
  const length = fc.oneof(fc.constantFrom(...bounds), fc.nat(300))
  fc.assert(
    fc.property(length, fc.nat(255), fc.nat(7), fc.boolean(), (length, first, from, masked) => {
      const data = Buffer.alloc(length, Buffer.from([first, 1, 2, 3, 5]))
      const frames = [put(opcode.binary, data, masked, from)]
      if (masked) frames.push(maskedFrame(opcode.binary, data))
      else frames.push(Buffer.concat([frameHeader(opcode.binary, length), data]))
      const whole = { data, isBinary: true }
      assert.deepEqual(read(Buffer.concat(frames), masked), [whole, whole])
    }),
    { numRuns: 60 },
  )
})

test('no two frames have the same mask', () => {
  const masks = Array.from({ length: 5000 }, () =>
    put(opcode.binary, new Uint8Array(0), true).readUInt32BE(2),
  )
  // Of 5000 random words of 32 bits hardly ever two are equal, and never ten.
  assert.ok(new Set(masks).size > 4990)
})
