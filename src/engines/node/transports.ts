/**
 * A row for each transport: how it is served, dialled and loaded, and what it refuses. To
 * add one, write its folder and its row here, and its row in the vocabulary (transport.ts).
 */
import type { Meter } from '../../metrics/meter.ts'
import type { FlowTask, LoadTask, ServeTask, Task } from '../../task.ts'
import { transports, type TransportName } from '../../vocabulary/transport.ts'
import type { OpenTask } from '../engine.ts'
import { libcFor } from '../os/socket-options.ts'
import { dialBytes } from './bytes/dial.ts'
import { upon } from './core/upon.ts'
import type { Dial } from './core/link.ts'
import type { Listen } from './core/listener.ts'
import type { CreateProtocol, Handshake } from './core/protocol.ts'
import { refusesHttpLoad } from './http/refuses.ts'

interface NodeTransport {
  serve(task: ServeTask, meter: Meter): Promise<OpenTask>
  dial: Dial
  load(task: LoadTask, meter: Meter): Promise<OpenTask>
  flow(task: FlowTask, meter: Meter): Promise<OpenTask>
  /** Why the transport cannot do a task, as a sentence. */
  refuses?(task: Task): string | undefined
}

/** The handshakes of a server, in their order. */
async function handshakesOf({ proxy, address, ...task }: ServeTask): Promise<Handshake[]> {
  const handshakes: Handshake[] = []
  if (proxy) handshakes.push((await import('./core/proxy.ts')).readsProxy(proxy))
  if (transports[address.transport].secure)
    handshakes.push((await import('./tls/handshake.ts')).secure({ proxy, address, ...task }))
  return handshakes
}

interface OverConnections {
  /** Accepts clients, if node:net cannot do that for the transport. */
  listen?: Listen
  /** The protocol spoken with a client. */
  protocol: () => Promise<CreateProtocol>
  dial: Dial
  /** How to dial a session in band, if not by `dial`. */
  flowDial?: Dial
  /** Loads what dialling needs, so that no connection that is timed has to wait for it. */
  preload?: () => Promise<unknown>
  refuses?: NodeTransport['refuses']
}

const listenByNet: Listen = async (task, handler) =>
  (await import('./core/listener.ts')).Listener.open(task, handler)

/** Transports with connections share one way to accept and one way to send a load. */
const overConnections = ({
  listen = listenByNet,
  protocol,
  dial,
  flowDial,
  preload,
  refuses = () => undefined,
}: OverConnections): NodeTransport => ({
  async serve(task, meter) {
    const { openServe } = await import('./core/serve.ts')
    const handshakes = await handshakesOf(task)
    return openServe(task, meter, { listen, handshakes, create: await protocol() })
  },
  dial,
  async load(task, meter) {
    const { openLoad } = await import('./load/load.ts')
    if (transports[task.address.transport].secure) await import('./tls/handshake.ts')
    if (libcFor(task.calling.socket)) await import('./bytes/prepared.ts')
    await preload?.()
    return openLoad(task, meter, dial)
  },
  flow: async (task, meter) =>
    (await import('./direction/load.ts')).openFlows(task, meter, flowDial ?? dial),
  refuses,
})

const bytes = overConnections({
  protocol: async () => (await import('./bytes/protocol.ts')).createBytes,
  dial: dialBytes,
})

const messages = overConnections({
  protocol: async () => (await import('./ws/echo.ts')).createMessages,
  /** Opens WebSocket over a stream of bytes. One time limit is for both. */
  async dial(target, timeoutMs, signal) {
    const startedMs = performance.now()
    // Loaded before dialling: a server may send something at once, such as an alert.
    const { openMessages } = await import('./ws/dial.ts')
    const link = await dialBytes(target, timeoutMs, signal)
    const leftMs = Math.max(1, timeoutMs - (performance.now() - startedMs))
    return upon(link.stream, () => openMessages(link, target, leftMs))
  },
  preload: () => import('./ws/dial.ts'),
})

const requests = overConnections({
  protocol: async () => (await import('./http/echo.ts')).createHttpEcho,
  async dial(target, timeoutMs, signal) {
    const { openHttp } = await import('./http/dial.ts')
    return openHttp(target, () => dialBytes(target, timeoutMs, signal))
  },
  async flowDial(target, timeoutMs, signal) {
    const { openHttp } = await import('./http/dial.ts')
    const http = { ...target.calling.http, oneRequest: true, isSession: true }
    const calling = { ...target.calling, http }
    return openHttp({ ...target, calling }, () => dialBytes(target, timeoutMs, signal))
  },
  preload: () => import('./http/dial.ts'),
  refuses: refusesHttpLoad,
})

const datagrams: NodeTransport = {
  serve: async (task, meter) => (await import('./udp/serve.ts')).openDatagramServe(task, meter),
  dial: async target => (await import('./udp/duplex.ts')).dialDatagrams(target),
  load: async (task, meter) => (await import('./udp/load.ts')).openDatagramLoad(task, meter),
  flow: async (task, meter) => (await import('./direction/load.ts')).openDatagramFlows(task, meter),
}

export const nodeTransports: Readonly<Record<TransportName, NodeTransport>> = {
  tcp: bytes,
  unix: bytes,
  tls: bytes,
  udp: datagrams,
  ws: messages,
  wss: messages,
  http: requests,
  https: requests,
}
