/** The whole life of a thread: open, say ready, run. */
import { parentPort, workerData } from 'node:worker_threads'
import { engines } from '../engines/index.ts'
import { UserError } from '../vocabulary/errors.ts'
import type { FaultEvent } from '../faults/chain.ts'
import { Meter } from '../metrics/meter.ts'
import { FaultFeed } from './fault-feed.ts'
import type { FromThread, ThreadInput, ToThread } from './messages.ts'

const { task, memory } = workerData as ThreadInput
const port = parentPort!
const say = (message: FromThread) => port.postMessage(message)

const feed = new FaultFeed(batch => say({ kind: 'faults', batch }))

try {
  const meter = new Meter(memory)
  if (task.kind === 'serve' && task.recordFaults)
    meter.onFault = event => feed.push(event as FaultEvent)
  const session = await engines[task.engine].open(task, meter)
  const started = new Promise<void>(start => {
    port.on('message', (message: ToThread) => {
      if (message === 'run') start()
      else if (message === 'taken') feed.taken()
      else if ('stop' in message) session.stop(message.stop === 'now')
      else {
        session.setFaults?.(message.faults)
        say({ kind: 'faultsSet' })
      }
    })
  })
  say({ kind: 'ready', address: session.address })
  await started
  await session.run()
  feed.end()
  say({ kind: 'finished', outcome: session.outcome })
} catch (error) {
  if (!(error instanceof UserError)) throw error
  say({ kind: 'failed', error: error.toData() })
} finally {
  port.close()
}
