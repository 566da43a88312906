/** udp: what makes no sense there. */
import type { LoadTask, ServeTask, Task } from '../../../task.ts'

/** Why a task cannot be done with datagrams, as a sentence. */
export const refusesDatagrams = (task: Task): string | undefined =>
  task.kind === 'serve' ? refusesServing(task) : refusesLoad(task)

function refusesServing({ proxy }: ServeTask): string | undefined {
  return proxy && 'PROXY headers are not read on udp: there are no connections that begin with one.'
}

function refusesLoad({ churn, idle, calling }: LoadTask): string | undefined {
  if (churn) return 'There are no short connections on udp, as there are no connections.'
  if (idle > 0) return 'There is nothing to be held on udp: an idle socket is known to nobody.'
  return calling.sendProxy && 'No PROXY header is sent on udp: no connection begins with it.'
}
