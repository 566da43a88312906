/** The page's own probe: a connection to a listener, which echoes a message once a second. */
import { computed, effect, signal } from '@preact/signals'
import type { ConsoleReply, ConsoleWaiting, ListenerInfo, Place } from '../src/dashboard/api.ts'
import { openConsole } from './request.ts'
import { isLive, own, server } from './state.ts'
import { shown } from './view.ts'

const everyMs = 1000
const keptMs = 60_000

interface Round {
  at: number
  us: number
}

/** What the user has chosen; null: nothing yet. */
const chosen = signal<boolean | null>(null)
/** The listener that is shown; the first one if all are shown. */
export const probed = computed(
  (): ListenerInfo | undefined => server.value?.listeners[shown.value ?? 0],
)
/** Off by itself where the probe would take the place of a client. */
export const isOn = computed(() => chosen.value ?? probed.value?.concurrency === null)
export const turn = (on: boolean): void => void (chosen.value = on)

/** Of the last minute, oldest first. */
export const rounds = signal<readonly Round[]>([])
/** Why there is no round trip at the moment. */
export const trouble = signal<string | null>(null)
export const waiting = signal<Place | null>(null)

const listener = computed(() => {
  const { draining = true } = server.value ?? {}
  return isOn.value && isLive.value && !draining ? probed.value?.index : undefined
})

effect(() => {
  const index = listener.value
  rounds.value = []
  trouble.value = null
  waiting.value = null
  return index === undefined ? undefined : probe(index)
})

/** @returns how to end it */
function probe(index: number): () => void {
  let socket: WebSocket | null = null
  let isAnswered = true
  const send = () => {
    isAnswered = false
    socket!.send('probe')
  }
  const hear = (said: ConsoleReply | ConsoleWaiting) => {
    if ('waiting' in said) {
      waiting.value = said.waiting
      return
    }
    isAnswered = true
    waiting.value = null
    own.probe.value = said.peer
    trouble.value = said.error ?? (said.wrong ? 'Other bytes came back.' : null)
    const at = Date.now()
    const kept = rounds.peek().filter(round => round.at > at - keptMs)
    rounds.value = said.error === null ? [...kept, { at, us: said.roundTripUs }] : kept
  }
  const connect = () => {
    const mine = openConsole(index)
    socket = mine
    mine.addEventListener('open', send)
    mine.addEventListener('message', ({ data }) => {
      if (socket === mine) hear(JSON.parse(data as string) as ConsoleReply | ConsoleWaiting)
    })
    mine.addEventListener('close', () => {
      if (socket === mine) socket = null
    })
  }
  const look = () => {
    // A hidden tab needs no figures.
    if (document.hidden) return
    if (!socket) connect()
    else if (isAnswered && socket.readyState === WebSocket.OPEN) send()
  }
  const timer = setInterval(look, everyMs)
  look()
  return () => {
    clearInterval(timer)
    socket?.close()
    socket = null
    own.probe.value = null
  }
}
