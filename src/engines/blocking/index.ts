/** The classic model: a thread for each client, and calls that block. */
import type { Engine } from '../engine.ts'
import { loadLibc } from '../os/libc.ts'

export const blocking: Engine = {
  name: 'blocking',
  refuses() {
    if (process.platform !== 'linux') return 'The blocking engine needs Linux.'
    const libc = loadLibc()
    return typeof libc === 'string' ? `The blocking engine needs FFI. ${libc}` : undefined
  },
  async open(task, meter) {
    if (task.kind !== 'serve') throw new Error('refused')
    return (await import('./serve.ts')).openServe(task, meter)
  },
}
