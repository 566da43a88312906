/**
 * Masks many bytes at once (RFC 6455 section 5.3): WebAssembly has operations on 16 bytes,
 * JavaScript only on 4. But WebAssembly has its own memory, so bytes are copied in and out.
 */

/**
 * How many bytes are masked at a time. From 4 kB on glibc copies with `rep movsb`, which takes
 * several times as long on some processors, depending on the two addresses (glibc issue 30994).
 */
const pieceBytes = 2_048

/**
 * The module, by the binary format of WebAssembly (specification, section 5.5):
 *
 *     (memory (export "memory") 1)
 *     (func (export "mask") (param $end i32) (param $mask i32) (local $at i32) (local $all v128)
 *       (local.set $all (i32x4.splat (local.get $mask)))
 *       (loop
 *         (v128.store (local.get $at)
 *           (v128.xor (v128.load (local.get $at)) (local.get $all)))
 *         (br_if 0 (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 16)))
 *           (local.get $end)))))
 */
const sections = [
  '0061736d 01000000',
  // Types, functions and memories: one each.
  '01 06 01 60 02 7f7f 00',
  '03 02 01 00',
  '05 03 01 0001',
  // Exports: "memory" and "mask".
  '07 11 02 06 6d656d6f7279 0200 04 6d61736b 0000',
  // The code, as above, line by line.
  '0a 2d 01 2b 02 017f 017b',
  '2001 fd11 2103',
  '0340',
  '2002 2002 fd000400 2003 fd51 fd0b0400',
  '2002 4110 6a 2202 2000 49 0d00',
  '0b 0b',
]
const text = Buffer.from(sections.join('').replaceAll(' ', ''), 'hex')

/** The part of WebAssembly that is used here: the types of Node do not have it. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object
  Instance: new (module: object) => { exports: unknown }
}

interface Scratch {
  bytes: Uint8Array
  mask: (end: number, mask: number) => void
}

let scratch: Scratch | undefined

function newScratch(): Scratch {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(text))
  const { memory, mask } = exports as { memory: { buffer: ArrayBuffer }; mask: Scratch['mask'] }
  return { bytes: new Uint8Array(memory.buffer, 0, pieceBytes), mask }
}

/**
 * Copies bytes, with the mask put on or taken off.
 * @param to where the bytes go; within the same memory not behind `from`
 * @param mask a mask whose first byte is the lowest one
 */
export function maskMany(
  source: Uint8Array,
  from: number,
  target: Uint8Array,
  to: number,
  length: number,
  mask: number,
): void {
  const { bytes, mask: run } = (scratch ??= newScratch())
  for (let done = 0; done < length; done += pieceBytes) {
    const size = Math.min(pieceBytes, length - done)
    bytes.set(source.subarray(from + done, from + done + size))
    run(size, mask)
    target.set(size === pieceBytes ? bytes : bytes.subarray(0, size), to + done)
  }
}
