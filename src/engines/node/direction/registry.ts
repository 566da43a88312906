/**
 * The sessions of this process by their ids, so that another connection can ask for the trace of
 * one. The threads of a server share its port, so a thread that does not know an id asks the
 * others.
 */
import { BroadcastChannel, threadId } from 'node:worker_threads'
import type { Trace } from '../../../wire/direction/trace.ts'

/** For how long the traces of connections that have ended are kept, and how many at most. */
const keptMs = 60_000
const keptMax = 1_000
/** Another thread that knows the session answers within this time. */
const othersMs = 250

interface RegisteredTrace {
  trace: () => Trace
  /** When it ended; undefined while it is open. */
  endedMs: number | undefined
}

interface TraceQuestion {
  id: string
  from: number
}
interface TraceReply extends TraceQuestion {
  trace: Trace
}

export class Registry {
  readonly #entries = new Map<string, RegisteredTrace>()
  readonly #waiting = new Map<string, Set<(trace: Trace) => void>>()
  /** In Node it is also an EventTarget, which its type does not say. */
  readonly #channel = new BroadcastChannel('yodel sessions') as BroadcastChannel & EventTarget

  constructor() {
    this.#channel.addEventListener('message', event =>
      this.#onMessage((event as unknown as { data: TraceQuestion | TraceReply }).data),
    )
    this.#channel.unref()
  }

  /** @returns a function to call when the session has ended */
  open(id: string, trace: () => Trace): () => void {
    const entry: RegisteredTrace = { trace, endedMs: undefined }
    this.#entries.set(id, entry)
    return () => {
      entry.endedMs = performance.now()
      this.#forget()
    }
  }

  /** The trace of a session; null if no thread knows the session (any more). */
  async trace(id: string): Promise<Trace | null> {
    const own = this.#entries.get(id)
    if (own) return own.trace()
    return new Promise(resolve => {
      const settle = (trace: Trace | null) => {
        clearTimeout(timer)
        waiting.delete(settle)
        if (waiting.size === 0) this.#waiting.delete(id)
        resolve(trace)
      }
      const waiting = this.#waiting.get(id) ?? new Set<(trace: Trace) => void>()
      this.#waiting.set(id, waiting.add(settle))
      const timer = setTimeout(() => settle(null), othersMs)
      this.#channel.postMessage({ id, from: threadId } satisfies TraceQuestion)
    })
  }

  #onMessage(message: TraceQuestion | TraceReply) {
    if ('trace' in message) {
      for (const settle of this.#waiting.get(message.id) ?? []) settle(message.trace)
      return
    }
    const trace = this.#entries.get(message.id)?.trace()
    if (trace) this.#channel.postMessage({ ...message, trace } satisfies TraceReply)
  }

  /** Forgets sessions that ended long ago and, where there are too many, those that ended first. */
  #forget() {
    const now = performance.now()
    const ended = [...this.#entries].filter(([, { endedMs }]) => endedMs !== undefined)
    const tooMany = ended.length - keptMax
    for (const [n, [id, { endedMs }]] of ended.entries())
      if (n < tooMany || now - endedMs! > keptMs) this.#entries.delete(id)
  }
}

let registry: Registry | undefined
/** The registry of this thread. */
export const sessions = (): Registry => (registry ??= new Registry())
