/**
 * What a client goes through between being accepted and being served, step by step: the PROXY
 * header, TLS. Each step takes the stream that it is given and makes the next one of it. A client
 * who takes too long, or does not know the way, is closed and counted.
 */
import type { Socket } from 'node:net'
import { counter, type FailureName, type Meter } from '../../metrics/meter.ts'
import { timerMaxMs } from '../../options.ts'
import type { ServeTask } from '../../task.ts'
import { failureName } from '../failures.ts'
import type { Echo } from './echo.ts'

/** What is known of a client when it is served. */
export interface Admission {
  /** The socket that was accepted: only it can be reset. */
  raw: Socket
  /** Whom a proxy forwards, by its PROXY header. */
  proxied?: { source: string; destination: string } | undefined
}

/**
 * Resolves with the stream for the next step; rejects with why the client is to be closed. The
 * client may vanish meanwhile: then `raw` is destroyed, and the step must settle.
 */
export type Step = (socket: Socket, admission: Admission) => Promise<Socket>

/** So many may be on their way in at the same time; the others are not read from meanwhile. */
const insideMax = 1_000

/** An echo that lets its clients in by these steps, at most so long each. */
export function behind(
  steps: readonly Step[],
  echo: Echo,
  { handshakeTimeoutMs }: Pick<ServeTask, 'handshakeTimeoutMs'>,
  { counters }: Meter,
): Echo {
  /** Those who are through, by the socket that was accepted. */
  const admitted = new WeakMap<Socket, Socket>()
  const leaving = new WeakSet<Socket>()
  const queue: Socket[] = []
  let inside = 0

  function turnOut(raw: Socket, reason: FailureName) {
    if (raw.destroyed) return
    counters[counter[reason]]!++
    raw.destroy()
  }

  function enter(raw: Socket) {
    inside++
    const admission: Admission = { raw }
    const timer = setTimeout(
      () => turnOut(raw, 'timedOut'),
      Math.min(handshakeTimeoutMs, timerMaxMs),
    )
    walk(steps, raw, admission)
      .then(
        socket => {
          if (raw.destroyed) return
          admitted.set(raw, socket)
          echo.start(socket, admission)
          if (leaving.has(raw)) echo.finish(socket)
        },
        (error: unknown) => turnOut(raw, failureName(error)),
      )
      .finally(() => {
        clearTimeout(timer)
        inside--
        next()
      })
  }

  function next() {
    for (;;) {
      const raw = queue.shift()
      if (!raw) return
      if (raw.destroyed) continue
      return enter(raw)
    }
  }

  return {
    start(raw) {
      // What breaks on the way in is known by the step that reads; here it must only not be thrown.
      raw.on('error', () => {})
      if (inside < insideMax) enter(raw)
      else queue.push(raw)
    },
    finish(raw) {
      const socket = admitted.get(raw)
      leaving.add(raw)
      if (socket) echo.finish(socket)
      else if (!queue.includes(raw)) return
      else raw.destroy()
    },
  }
}

async function walk(steps: readonly Step[], raw: Socket, admission: Admission): Promise<Socket> {
  let socket = raw
  for (const step of steps) socket = await step(socket, admission)
  return socket
}
