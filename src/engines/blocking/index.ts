/** The classic model, kept literally: a thread for each client, and calls that block. */
import type { Engine } from '../engine.ts'
import { loadLibc } from '../libc.ts'

export const blocking: Engine = {
  name: 'blocking',
  refuses(task) {
    if (task.kind === 'load') return 'The blocking engine only serves.'
    if (task.busyPollUs > 0) return 'Only the uring engine can poll busily.'
    if (task.faults) return 'The blocking engine cannot inject faults.'
    if (task.sharePort) return 'The blocking engine has threads of its own: see concurrency.'
    if (process.platform !== 'linux') return 'The blocking engine needs Linux.'
    const libc = loadLibc()
    return typeof libc === 'string' ? `The blocking engine needs FFI. ${libc}` : undefined
  },
  async open(task, meter) {
    if (task.kind !== 'serve') throw new Error('refused')
    return (await import('./serve.ts')).openServe(task, meter)
  },
}
