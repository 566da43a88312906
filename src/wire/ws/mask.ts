/** Takes masks off payloads, or puts them on (RFC 6455 section 5.3), a word at a time. */
import { maskMany } from './mask-many.ts'

/**
 * From this length on, bytes are masked as aligned words: that is faster, but needs a few steps
 * first.
 */
const largeBytes = 256
/** From this length on, a call of WebAssembly is worth it. */
const manyBytes = 1_024

/** Memory in which payloads lie: the same bytes in three forms. */
export class Memory {
  readonly bytes: Uint8Array
  readonly view: DataView
  /** The bytes from `wordsAt` on, as words of the machine. */
  readonly words: Int32Array
  readonly wordsAt: number

  constructor(bytes: Uint8Array) {
    const { buffer, byteOffset, length } = bytes
    this.bytes = bytes
    this.view = new DataView(buffer, byteOffset, length)
    this.wordsAt = -byteOffset & 3
    const words = Math.max(0, length - this.wordsAt) >> 2
    this.words = new Int32Array(buffer, words === 0 ? 0 : byteOffset + this.wordsAt, words)
  }
}

/**
 * Takes the mask off `length` bytes, and moves them.
 * @param to where the bytes go; must not be greater than `from`
 * @param mask the mask as a little-endian number: its first byte is the least significant one
 */
export function unmask(memory: Memory, from: number, to: number, length: number, mask: number) {
  const { bytes, view } = memory
  if (mask !== 0 && length >= manyBytes) return maskMany(bytes, from, bytes, to, length, mask)
  if (mask === 0 || length >= largeBytes) {
    if (from !== to) bytes.copyWithin(to, from, from + length)
    if (mask !== 0) unmaskWords(memory, to, length, mask)
    return
  }
  let n = 0
  for (; n + 4 <= length; n += 4) view.setInt32(to + n, view.getInt32(from + n, true) ^ mask, true)
  for (; n < length; n++) bytes[to + n] = bytes[from + n]! ^ (mask >>> ((n & 3) << 3))
}

/** Copies `length` bytes of another memory, and puts the mask on them. */
export function copyMasked(
  { bytes, view }: Memory,
  from: number,
  target: Memory,
  to: number,
  length: number,
  mask: number,
) {
  if (length >= manyBytes) return maskMany(bytes, from, target.bytes, to, length, mask)
  if (length >= largeBytes) {
    target.bytes.set(bytes.subarray(from, from + length), to)
    return unmaskWords(target, to, length, mask)
  }
  let n = 0
  for (; n + 4 <= length; n += 4)
    target.view.setInt32(to + n, view.getInt32(from + n, true) ^ mask, true)
  for (; n < length; n++) target.bytes[to + n] = bytes[from + n]! ^ (mask >>> ((n & 3) << 3))
}

function unmaskWords(
  { bytes, words, wordsAt }: Memory,
  from: number,
  length: number,
  mask: number,
) {
  const before = (wordsAt - from) & 3
  for (let n = 0; n < before; n++) bytes[from + n]! ^= mask >>> (n << 3)
  const first = (from + before - wordsAt) >> 2
  const end = first + ((length - before) >> 2)
  const word = ofMachine(rotated(mask, before))
  for (let n = first; n < end; n++) words[n]! ^= word
  const done = before + ((end - first) << 2)
  for (let n = done; n < length; n++) bytes[from + n]! ^= mask >>> ((n & 3) << 3)
}

/** The mask, rotated for a payload of which this many bytes are masked already. */
export function rotated(mask: number, bytes: number): number {
  const bits = (bytes & 3) << 3
  return bits === 0 ? mask : (mask >>> bits) | (mask << (32 - bits))
}

const isLittleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1

/** Converts a word whose lowest byte is the first in memory to the byte order of this machine. */
function ofMachine(word: number): number {
  if (isLittleEndian) return word
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)
}
