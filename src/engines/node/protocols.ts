/** The table of what is spoken with clients: steps on their way in, and the echo behind them. */
import type { Meter } from '../../metrics/meter.ts'
import type { FaultSpec } from '../../faults/index.ts'
import type { ServeTask } from '../../task.ts'
import { transports, type TransportName } from '../../transport.ts'
import { createEcho, type Echo } from './echo.ts'
import { Entrance, type Step } from './entrance.ts'
import { Unfinished } from './unfinished.ts'

export interface Protocol {
  readonly echo: Echo
  /** Its own way in, behind PROXY header and TLS. */
  readonly steps?: readonly Step[]
  /** Other faults from now on; only where the task came with some, or with an empty list. */
  setFaults?(faults: readonly FaultSpec[]): void
}

/** What is spoken, and who has not come so far that it is served. */
export interface Served extends Protocol {
  readonly unfinished: Unfinished
}

/** Decided here once: whoever wants no steps and no faults pays for none. */
export async function createProtocol(task: ServeTask, meter: Meter): Promise<Served> {
  const { transport } = task.address
  if (transport === 'udp') return refused()
  const unfinished = new Unfinished()
  const protocol = await innermost[transport](task, meter, unfinished)
  const steps = [...(await createSteps(task)), ...(protocol.steps ?? [])]
  if (steps.length === 0) return { ...protocol, unfinished }
  const echo = new Entrance(steps, protocol.echo, unfinished, task, meter)
  return { ...protocol, echo, unfinished }
}

/** In the order in which a client takes them. */
async function createSteps(task: ServeTask): Promise<Step[]> {
  const { proxy, address } = task
  const steps: Step[] = []
  if (proxy) steps.push((await import('./proxy.ts')).readsProxy(proxy))
  if (transports[address.transport].secure) steps.push((await import('./tls.ts')).secure(task))
  return steps
}

type Create = (
  task: ServeTask,
  meter: Meter,
  unfinished: Unfinished,
) => Protocol | Promise<Protocol>

/** A stream of bytes, whatever it came through. */
const bytes: Create = async (task, meter) => {
  if (!task.faults) return { echo: createEcho(meter) }
  const { createFaultyEcho } = await import('./faulty-echo.ts')
  const echo = createFaultyEcho(task, meter)
  return { echo, setFaults: faults => echo.setFaults(faults) }
}

/** WebSocket: the package is loaded where it is needed. */
const messages: Create = async (task, meter) =>
  (await import('./ws/echo.ts')).createMessages(task, meter)

const requests: Create = async (task, meter, unfinished) =>
  (await import('./http/echo.ts')).createHttpEcho(task, meter, unfinished)

const refused = (): never => {
  throw new Error('refused')
}

/** What is spoken behind the steps; datagrams have no clients who could be let in. */
const innermost: Record<Exclude<TransportName, 'udp'>, Create> = {
  tcp: bytes,
  unix: bytes,
  tls: bytes,
  ws: messages,
  wss: messages,
  http: requests,
  https: requests,
}
