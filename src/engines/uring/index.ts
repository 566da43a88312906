/** The uring engine: Linux's io_uring driven from TypeScript, for streams and datagrams. */
import { release } from 'node:os'
import { isDatagrams, transports } from '../../vocabulary/transport.ts'
import type { Engine } from '../engine.ts'
import { loadLibc, type Libc } from '../os/libc.ts'
import { loadOpenSsl } from '../os/openssl.ts'
import { enter } from './kernel.ts'
import { Ring } from './ring.ts'

/** The first kernel with everything that is used; the incremental buffer ring came last. */
const kernelNeeded = [6, 12] as const

let answer: string | undefined | null = null

export const uring: Engine = {
  name: 'uring',
  tabled: true,
  // The engine makes almost no garbage: a large heap for young objects would fill slowly, and look
  // like a leak.
  resourceLimits: { maxYoungGenerationSizeMb: 1 },
  refuses(task) {
    if (task.kind === 'serve' && task.sharePort && task.address.transport === 'unix')
      return 'The threads cannot share a unix socket.'
    if (answer === null) answer = unavailable()
    if (answer !== undefined) return answer
    if (!transports[task.address.transport].secure) return undefined
    const openSsl = loadOpenSsl()
    return typeof openSsl === 'string' ? openSsl : undefined
  },
  async open(task, meter) {
    if (task.kind === 'flow') throw new Error('refused')
    if (isDatagrams(task.address))
      return task.kind === 'load'
        ? (await import('./udp/load.ts')).openDatagramLoad(task, meter)
        : (await import('./udp/serve.ts')).openDatagramServe(task, meter)
    if (task.kind === 'load') return (await import('./load.ts')).openLoad(task, meter)
    return (await import('./serve.ts')).openServe(task, meter)
  },
}

/** Why there is no io_uring here; undefined if there is. */
function unavailable(): string | undefined {
  if (process.platform !== 'linux')
    return `io_uring is a part of Linux; this is ${process.platform}.`
  const libc = loadLibc()
  if (typeof libc === 'string') return `io_uring needs FFI. ${libc}`
  const [major, minor] = release().split('.').map(Number) as [number, number]
  const [needMajor, needMinor] = kernelNeeded
  if (major < needMajor || (major === needMajor && minor < needMinor))
    return `io_uring is used as of Linux ${kernelNeeded.join('.')}; this is ${major}.${minor}.`
  return tryOut(libc)
}

/** Creates the smallest ring: that fails if the kernel has io_uring, but forbids it. */
function tryOut(libc: Libc): string | undefined {
  try {
    const ring = new Ring(libc, 1, 2)
    try {
      ring.enter(0, enter.GETEVENTS)
    } finally {
      ring.close()
    }
    return undefined
  } catch (error) {
    switch ((error as NodeJS.ErrnoException).code) {
      case 'EPERM':
        return 'io_uring is forbidden here: by the sysctl kernel.io_uring_disabled, or by seccomp.'
      case 'ENOSYS':
        return 'io_uring is not part of this kernel, or a sandbox hides it.'
      case 'ENOMEM':
        return 'io_uring gets no memory: raise `ulimit -l`.'
      default:
        return `io_uring does not work here: ${(error as Error).message}.`
    }
  }
}
