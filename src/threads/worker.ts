/** The whole life of a thread: open the task, report that it is ready, run it. */
import { parentPort, workerData } from 'node:worker_threads'
import type { Engine } from '../engines/engine.ts'
import type { EngineName } from '../vocabulary/engine-names.ts'
import { UserError } from '../vocabulary/errors.ts'
import type { FaultEvent } from '../faults/chain.ts'
import { nowNs, sharedOffsetNs, sleepUntil } from '../vocabulary/clock.ts'
import { Meter } from '../metrics/meter.ts'
import { FaultFeed } from './fault-feed.ts'
import type { FromThread, ThreadInput, ToThread } from './messages.ts'

const { task, memory } = workerData as ThreadInput
const port = parentPort!
const say = (message: FromThread) => port.postMessage(message)

/** A thread with a plan is woken this long before its start, since timers can be late. */
const earlyNs = 3e6

const feed = new FaultFeed(batch => say({ kind: 'faults', batch }))

/** A thread loads only its own engine: loading all of them costs more than opening one. */
const engines: Record<EngineName, () => Promise<Engine>> = {
  node: async () => (await import('../engines/node/index.ts')).node,
  uring: async () => (await import('../engines/uring/index.ts')).uring,
  blocking: async () => (await import('../engines/blocking/index.ts')).blocking,
}

try {
  // If this thread is late, messages wait for it, and that time looks like the server's.
  if (task.kind === 'load') {
    ;(await import('../engines/os/time-slice.ts')).askForShortTimeSlices()
    ;(await import('../engines/os/timer-slack.ts')).askForExactTimers()
  }
  const meter = new Meter(memory)
  if (task.kind === 'serve' && task.recordFaults)
    meter.onFault = event => feed.push(event as FaultEvent)
  const engine = await engines[task.engine]()
  const opened = await engine.open(task, meter)
  const stopped = new AbortController()
  const started = new Promise<number>(start => {
    port.on('message', (message: ToThread) => {
      if (message === 'taken') feed.taken()
      else if ('run' in message) start(message.run - sharedOffsetNs())
      else if ('stop' in message) {
        stopped.abort()
        opened.stop(message.stop === 'now')
      } else {
        opened.setFaults?.(message.faults)
        say({ kind: 'faultsSet' })
      }
    })
  })
  say({ kind: 'ready', address: opened.address })
  const startNs = await started
  // A load with a plan waits for its instants itself, so it is woken early. A closed loop has no
  // plan, so it cannot be late.
  const planned = task.kind === 'load' && (task.pace !== undefined || task.churn !== undefined)
  await sleepUntil(planned ? startNs - earlyNs : startNs, stopped.signal)
  await opened.run(planned && !stopped.signal.aborted ? startNs : nowNs())
  feed.end()
  say({ kind: 'finished', result: opened.result })
} catch (error) {
  if (!(error instanceof UserError)) throw error
  say({ kind: 'failed', error: error.toData() })
} finally {
  port.close()
}
