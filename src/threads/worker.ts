/** The whole life of a thread: open, say ready, run. */
import { parentPort, workerData } from 'node:worker_threads'
import { askForShortSlices, engines } from '../engines/index.ts'
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

try {
  // What a message waits for the thread that times it would be told as the server's time.
  if (task.kind === 'load') askForShortSlices()
  const meter = new Meter(memory)
  if (task.kind === 'serve' && task.recordFaults)
    meter.onFault = event => feed.push(event as FaultEvent)
  const session = await engines[task.engine].open(task, meter)
  const stopped = new AbortController()
  const started = new Promise<number>(start => {
    port.on('message', (message: ToThread) => {
      if (message === 'taken') feed.taken()
      else if ('run' in message) start(message.run - sharedOffsetNs())
      else if ('stop' in message) {
        stopped.abort()
        session.stop(message.stop === 'now')
      } else {
        session.setFaults?.(message.faults)
        say({ kind: 'faultsSet' })
      }
    })
  })
  say({ kind: 'ready', address: session.address })
  const startNs = await started
  // A load with a plan waits for its instants itself, so it is woken early. A closed loop has no
  // plan, so it cannot be late.
  const planned = task.kind === 'load' && (task.pace !== undefined || task.churn !== undefined)
  await sleepUntil(planned ? startNs - earlyNs : startNs, stopped.signal)
  await session.run(planned && !stopped.signal.aborted ? startNs : nowNs())
  feed.end()
  say({ kind: 'finished', outcome: session.outcome })
} catch (error) {
  if (!(error instanceof UserError)) throw error
  say({ kind: 'failed', error: error.toData() })
} finally {
  port.close()
}
