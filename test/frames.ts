/** WebSocket by hand, for tests: an upgraded socket, and frames as wrong as they are wanted. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import { dial, read } from './client.ts'

const key = 'dGhlIHNhbXBsZSBub25jZQ=='
const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** An HTTP request for an upgrade; `headers` replace those that belong there. */
export function request(headers: Record<string, string> = {}, line = 'GET / HTTP/1.1'): string {
  const all = {
    Host: 'localhost',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': key,
    ...headers,
  }
  const lines = Object.entries(all).filter(([, value]) => value !== '')
  return `${line}\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
}

/** The answer of a server that grants the upgrade. */
export function accepted(key: string): string {
  const accept = createHash('sha1')
    .update(key + guid)
    .digest('base64')
  const expected = [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${accept}`,
  ]
  return `${expected.join('\r\n')}\r\n\r\n`
}

/** Connected and upgraded. */
export async function upgraded(port: number): Promise<Socket> {
  const socket = await dial({ port })
  socket.write(request())
  const answer = accepted(key)
  assert.equal((await read(socket, answer.length)).toString(), answer)
  return socket
}

const mask = Buffer.of(0x37, 0xfa, 0x21, 0x3d)

interface Shape {
  fin?: boolean
  /** The reserved bits, as a number from 0 to 7. */
  reserved?: number
  masked?: boolean
  /** What the header says, whatever there really is. */
  length?: number | bigint
}

/** One frame as a client sends it (RFC 6455 section 5.2). */
export function frame(opcode: number, payload: Buffer | string, shape: Shape = {}): Buffer {
  const { fin = true, reserved = 0, masked = true } = shape
  const bytes = Buffer.from(payload as string)
  const length = BigInt(shape.length ?? bytes.length)
  const short = length < 126n ? Number(length) : length < 65_536n ? 126 : 127
  const header = Buffer.of((fin ? 0x80 : 0) | (reserved << 4) | opcode, (masked ? 0x80 : 0) | short)
  const extended = Buffer.alloc(short === 127 ? 8 : short === 126 ? 2 : 0)
  if (short === 126) extended.writeUInt16BE(Number(length))
  if (short === 127) extended.writeBigUInt64BE(length)
  if (!masked) return Buffer.concat([header, extended, bytes])
  return Buffer.concat([header, extended, mask, bytes.map((byte, n) => byte ^ mask[n & 3]!)])
}

export interface Frame {
  opcode: number
  payload: Buffer
}

/** All frames of a server until FIN; they are not fragmented, and never masked. */
export function parsed(bytes: Buffer): Frame[] {
  const frames: Frame[] = []
  for (let at = 0; at < bytes.length;) {
    const [first, second] = [bytes[at]!, bytes[at + 1]!]
    assert.equal(first & 0xf0, 0x80)
    assert.ok(second < 128)
    at += 2
    let length = second
    if (second === 126) length = bytes.readUInt16BE(at)
    if (second === 127) length = Number(bytes.readBigUInt64BE(at))
    at += second === 126 ? 2 : second === 127 ? 8 : 0
    frames.push({ opcode: first & 0x0f, payload: bytes.subarray(at, at + length) })
    at += length
    assert.ok(at <= bytes.length, 'the last frame is cut off')
  }
  return frames
}
