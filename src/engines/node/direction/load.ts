/** The client's side of sessions: sends and receives in one direction or both, until it is over. */
import { randomBytes } from 'node:crypto'
import type { Address, HostAddress } from '../../../vocabulary/address.ts'
import type { ThreadFlowsResult, FoundFlow } from '../../../load/direction/thread-flows.ts'
import { counter, type Meter } from '../../../metrics/meter.ts'
import type { FlowTask } from '../../../task.ts'
import { transports } from '../../../vocabulary/transport.ts'
import { timerMaxMs } from '../../../vocabulary/units.ts'
import { writeHello, type Hello } from '../../../wire/direction/hello.ts'
import type { OpenTask } from '../../engine.ts'
import { explain } from '../../failures.ts'
import type { Dial, Target } from '../core/link.ts'
import { Candidates, keepFreed } from '../udp/socket.ts'
import { DatagramFlow } from './datagram-flow.ts'
import { ClientFlow } from './flow.ts'
import { payloadOf } from './session-payload.ts'

/** What each flow of a session must be able to do. */
interface AnyFlow {
  readonly closed: Promise<void>
  readonly found: FoundFlow
  open(): Promise<void>
  begin(): void
  end(): void
  giveUp(): void
  destroy(): void
}

/** Connects all flows; each has been accepted by the server. @throws UserError if one is not */
export async function openFlows(task: FlowTask, meter: Meter, dial: Dial): Promise<OpenTask> {
  const payload = payloadOf(task.seed)
  const isGet = transports[task.address.transport].protocol === 'http' && task.direction === 'down'
  return openAll(task, meter, async number => {
    const hello = writeHello(helloOf(task, number, isGet))
    const inHead = isGet ? hello.toString('base64url') : undefined
    const target = inHead === undefined ? task : withHello(task, inHead)
    const askedMs = performance.now()
    const { stream, below = stream } = await dial({ ...target, number }, task.timeoutMs)
    const said = isGet ? undefined : hello
    const about = { number, hello: said, inHead, askedMs, payload }
    return new ClientFlow(task, { ...about, stream, below, meter })
  })
}

function helloOf(task: FlowTask, flow: number, isGet: boolean): Hello {
  const { direction: mode, seed, sizeBytes, ratePerSecond, warmupMs, durationMs } = task
  const id = randomBytes(16).toString('hex')
  const lastsMs = isGet && durationMs !== Infinity ? warmupMs + durationMs : undefined
  return { mode, id, seed, flow, sizeBytes, ratePerSecond, lastsMs }
}

/** The target of a request without a body: the hello is in a header. */
const withHello = ({ address, calling }: FlowTask, hello: string): Target => ({
  address,
  calling: { ...calling, http: { ...calling.http, hello } },
})

/** Opens flows over datagrams. */
export async function openDatagramFlows(task: FlowTask, meter: Meter): Promise<OpenTask> {
  keepFreed()
  const payload = payloadOf(task.seed)
  const { address, calling } = task
  const candidates = await Candidates.of(address as HostAddress, calling).catch(
    (error: unknown) => {
      throw explain('connect to', address, error)
    },
  )
  return openAll(task, meter, async number => {
    const socket = await candidates.again(number).connect()
    return new DatagramFlow(task, number, socket, payload, meter)
  })
}

async function openAll(
  task: FlowTask,
  meter: Meter,
  make: (number: number) => Promise<AnyFlow>,
): Promise<OpenTask> {
  const flows: AnyFlow[] = []
  try {
    for (let n = 0; n < task.flows; n++) {
      const flow = await make(task.first + n * task.step).catch((error: unknown) => {
        throw explain('connect to', task.address, error)
      })
      meter.counters[counter.opened]!++
      flows.push(flow)
      await flow.open()
    }
  } catch (error) {
    for (const flow of flows) flow.destroy()
    throw error
  }
  return new OpenFlows(task, flows)
}

class OpenFlows implements OpenTask {
  readonly address: Address
  readonly #task: FlowTask
  readonly #flows: readonly AnyFlow[]
  #timer: NodeJS.Timeout | undefined
  #ending = false

  constructor(task: FlowTask, flows: readonly AnyFlow[]) {
    this.address = task.address
    this.#task = task
    this.#flows = flows
  }

  async run(): Promise<void> {
    const { warmupMs, durationMs } = this.#task
    for (const flow of this.#flows) flow.begin()
    if (!this.#ending && durationMs !== Infinity) this.#after(warmupMs + durationMs)
    await Promise.all(this.#flows.map(flow => flow.closed))
    clearTimeout(this.#timer)
  }

  #after(ms: number) {
    this.#timer = setTimeout(() => this.stop(false), Math.min(ms, timerMaxMs))
  }

  stop(now: boolean): void {
    clearTimeout(this.#timer)
    if (now) return this.#flows.forEach(flow => flow.destroy())
    if (this.#ending) return
    this.#ending = true
    for (const flow of this.#flows) flow.end()
    this.#timer = setTimeout(
      () => this.#flows.forEach(flow => flow.giveUp()),
      Math.min(this.#task.drainMs, timerMaxMs),
    )
  }

  get result(): ThreadFlowsResult {
    return { flows: this.#flows.map(flow => flow.found) }
  }
}
