/** Puts a socket into a slot of the ring's table; the descriptor itself stays open, too. */
import type { Libc } from '../../os/libc.ts'
import type { Ring } from '../ring.ts'

export function putFile(libc: Libc, ring: Ring, slot: number, fd: number): void {
  const file = libc.map(4096)
  new Int32Array(file.memory)[0] = fd
  ring.setFile(slot, file)
  libc.unmap(file)
}
