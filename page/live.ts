/** Keeps the state up to date: loads it when the server is there, then follows its events. */
import type {
  BenchRun,
  Events,
  Lane,
  ListenerFaults,
  Second,
  ServerInfo,
} from '../src/dashboard/api.ts'
import { get, Refusal } from './request.ts'
import * as state from './state.ts'

const apply: { [Name in keyof Events]: (data: Events[Name]) => void } = {
  second: state.addSecond,
  lanes: state.changeLanes,
  activity: state.addActivity,
  faults: faults => (state.faults.value = faults),
  server: server => (state.server.value = server),
  bench: state.changeBench,
}

/** The browser reconnects by itself after a broken connection, but not after a refusal. */
const retryMs = 2000

export function listen(): void {
  const source = new EventSource('/api/events')
  /** Events that come while the state is loaded; null once it is loaded. */
  let held: (() => void)[] | null = null
  source.addEventListener('open', () => {
    const mine: (() => void)[] = []
    held = mine
    load().then(
      () => {
        for (const event of mine) event()
        if (held === mine) held = null
        state.link.value = 'live'
      },
      (error: unknown) => fail(source, error),
    )
  })
  source.addEventListener('error', () => {
    if (state.link.peek() === 'live') state.link.value = 'lost'
    if (source.readyState === EventSource.CLOSED) void explain(source)
  })
  for (const name of Object.keys(apply) as (keyof Events)[])
    source.addEventListener(name, ({ data }) => {
      const event = () => apply[name](JSON.parse(data as string) as never)
      if (held) held.push(event)
      else event()
    })
}

async function load(): Promise<void> {
  const [server, history, timeline, faults, benches] = await Promise.all([
    get<ServerInfo>('/api/server'),
    get<Second[]>('/api/history'),
    get<Lane[]>('/api/timeline'),
    get<ListenerFaults[]>('/api/faults'),
    get<BenchRun[]>('/api/benches'),
  ])
  state.server.value = server
  state.setSeconds(history)
  state.setLanes(timeline)
  state.faults.value = faults
  state.benches.value = benches
}

/** An event source does not say why it was refused; another request does. */
const explain = (source: EventSource): Promise<void> =>
  get('/api/server').then(
    () => fail(source, null),
    (error: unknown) => fail(source, error),
  )

function fail(source: EventSource, error: unknown): void {
  source.close()
  const refused = error instanceof Refusal && (error.status === 401 || error.status === 403)
  if (refused) state.link.value = 'refused'
  else if (state.link.peek() !== 'connecting') state.link.value = 'lost'
  setTimeout(listen, retryMs)
}
