/**
 * What the coordinator of a load and its agents send each other, and on which topics; sealed.ts
 * seals messages, and packed.ts packs counts.
 */
import type { Address } from '../vocabulary/address.ts'
import type { UserErrorData } from '../vocabulary/errors.ts'
import { bucketCount } from '../metrics/histogram.ts'
import { counterNames, histogramNames } from '../metrics/meter.ts'
import { partFormat } from '../report/part-form.ts'
import type { BenchOptions } from '../load/options.ts'

/**
 * The beginning of all topics. It changes with everything that another version would not
 * understand. (NATS refuses dots.)
 */
export const prefix = 'yodel/1'

export const topics = {
  /** The topic of an agent, retained: its hello, and nothing once it has gone. */
  hello: (agent: string) => `${prefix}/agents/${agent}`,
  toAgent: (agent: string) => `${prefix}/to/${agent}`,
  toCoordinator: (coordinator: string, agent: string) => `${prefix}/from/${coordinator}/${agent}`,
}

/** The agent that a message comes from. */
export const senderIn = (topic: string): string => topic.slice(topic.lastIndexOf('/') + 1)

/**
 * What both sides must have in common in addition to the version, or counts would mean something
 * else.
 */
export const layout = [partFormat, bucketCount, counterNames.length, histogramNames.length].join(
  ' ',
)

export interface Presence {
  kind: 'presence'
  /** The name for people; agents are distinguished by their topics. */
  name: string
  /** Made anew at each start: messages for an earlier start do not count. */
  startId: string
  version: string
  layout: string
  cores: number
  memoryBytes: number
  /** How many connections the limit of descriptors allows; null where that is not known. */
  descriptors: number | null
  /** The agent's own limits. */
  allow: string[]
  maxRate: number | null
  maxConnections: number | null
  /** The run at which it works. */
  run: string | null
}

interface ToOneAgent {
  run: string
  /** The start of the agent that the message is for. */
  startId: string
}

/** A share of a load, which an agent may refuse. */
export interface Assignment extends ToOneAgent {
  kind: 'assignment'
  coordinator: string
  number: number
  of: number
  address: Address
  /** The options as the library takes them, with null in place of Infinity. */
  options: BenchOptions
  /** If an agent hears nothing from its coordinator for this long, it ends. */
  timeoutMs: number
  /** The coordinator itself is the broker, so both go away together. */
  embedded: boolean
}

export type ToAgent =
  | Assignment
  /**
   * All are connected: find out what the coordinator's clock says, by `trips` round trips with
   * pauses of `pauseMs` between them on average.
   */
  | (ToOneAgent & { kind: 'sync'; trips: number; pauseMs: number })
  | (ToOneAgent & { kind: 'pong'; sentMs: number; atMs: number })
  /**
   * When to begin, on the clock of the coordinator. The message repeats the target, so that one
   * seal covers both.
   */
  | (ToOneAgent & { kind: 'start'; atMs: number; address: Address; options: Assignment['options'] })
  | (ToOneAgent & { kind: 'ack'; tick: number })
  /** The whole part has come. */
  | (ToOneAgent & { kind: 'taken' })
  | (ToOneAgent & { kind: 'stop'; how: 'drain' | 'now' })
  /** The run will not begin. */
  | (ToOneAgent & { kind: 'release' })

/** Packed counts follow `snapshot`, and a piece of the part follows `part`. */
export type ToCoordinator = { run: string } & (
  | { kind: 'accepted' }
  /** The agent works for another coordinator. */
  | { kind: 'busy' }
  | { kind: 'ready' }
  | { kind: 'ping'; sentMs: number }
  | Synced
  /** A piece of the counts of a second; it can be used without the other pieces. */
  | { kind: 'snapshot'; tick: number; piece: number; pieces: number }
  | PartPiece
  | { kind: 'failed'; error: UserErrorData }
)

/** Several messages without a key that is added to all of them later. */
export type Without<Words, Key extends string> = Words extends unknown ? Omit<Words, Key> : never

export interface Synced {
  kind: 'synced'
  /** Add this to the time of the agent's clock to get the time of the coordinator's clock. */
  offsetMs: number
  /** By how much that sum may be wrong. */
  errorMs: number
  /** How far the agent's wall clock is ahead of the coordinator's. */
  wallMs: number
}

export interface PartPiece {
  kind: 'part'
  piece: number
  pieces: number
  /** When it began, on the clock of the coordinator. */
  startedMs: number
  /** Why it ended, if not because of the coordinator. */
  left: string | null
}

/** When counts are sent, in milliseconds after the start: at the end of each second, and of all. */
export function tickAt(tick: number, warmupMs: number, durationMs: number): number {
  const first = warmupMs % secondMs || (warmupMs > 0 ? secondMs : 0)
  const inWarmup = warmupMs > 0 ? Math.ceil(warmupMs / secondMs) : 0
  if (tick < inWarmup) return first + tick * secondMs
  const whole = Math.floor(durationMs / secondMs)
  const n = tick - inWarmup + 1
  const isWithRest = durationMs < Infinity && durationMs % secondMs !== 0
  if (!isWithRest || n <= whole) return warmupMs + n * secondMs
  return warmupMs + durationMs + (n - whole - 1) * secondMs
}

export const secondMs = 1_000
/** The most bytes of counts in one message. */
export const countsMaxBytes = 16_000
/** If this many heartbeats are missing, an agent counts as dead. */
export const missedMax = 3
