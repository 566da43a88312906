/** The options of a load: those of bench and flood, and of the search for the highest rate. */
import { wantedEnginesTo } from '../vocabulary/engine-names.ts'
import { callingOptions } from '../options/calling.ts'
import { group, option, type Kind, type OptionsOf } from '../options/form.ts'
import {
  choice,
  count,
  duration,
  list,
  percent,
  rate,
  text,
  textFor,
  whether,
} from '../options/kinds.ts'
import { connected } from '../options/where.ts'
import { parseInstant } from '../vocabulary/instant.ts'
import { formatCount, formatDuration, formatSize } from '../vocabulary/units.ts'
import { arrivalNames } from './pacer.ts'
import { parseSlice, slicesMax } from './part.ts'
import { parseSizes, sizesText, type SizeRange } from './sizes.ts'
import { parseStages } from './stages.ts'
import { parseThinkTime } from './thinking.ts'

/** How a comparison shows the value of an option. Infinity is null in JSON. */
const shown =
  (show: (value: number) => string = String, none = 'none') =>
  (value: unknown): string => {
    if (typeof value === 'string') return value
    return typeof value === 'number' && Number.isFinite(value) ? show(value) : none
  }

/** Bytes in a message, or sizes with weights. */
const sizes: Kind<number | SizeRange[]> = {
  placeholder: '<size>',
  parse: parseSizes,
  format: value => [typeof value === 'number' ? String(value) : sizesText(value)],
  // The limits depend on the transport: see bench/validate.
  mistake: () => undefined,
}

const message: Kind<Uint8Array | string> = {
  placeholder: '[message]',
  parse: typed => typed,
  format: value => [typeof value === 'string' ? value : Buffer.from(value).toString()],
  mistake: value =>
    value.length === 0 ? 'must not be empty: nothing would come back.' : undefined,
}

/** The options that bench and flood have in common. */
export const loadOptions = {
  /** Connections that are kept open and used. */
  connections: option(count({ min: 0 }), {
    default: 1,
    short: 'c',
    flag: 'connections',
    help: 'connections kept open and used',
    condition: { name: 'connections', show: shown() },
  }),
  /** Messages in flight on each connection, at most. */
  depth: option(count(), {
    default: 1,
    flag: 'depth',
    help: 'messages in flight on each connection, at most',
    condition: { name: 'depth', show: shown() },
  }),
  /**
   * Open loop: messages per second, over all connections. Without it the next message is sent when
   * an echo has come back (closed loop).
   */
  ratePerSecond: option(rate(), {
    default: undefined,
    short: 'q',
    flag: 'rate',
    help: 'open loop: messages per second over all connections',
    condition: {
      name: 'rate',
      show: shown(value => `${formatCount(value)}/s`, 'closed loop'),
    },
    notInSearch: ['The search chooses the rate itself.', 'Leave out the rate.'],
  }),
  /** Stop after this many messages, without those of the warm-up. */
  count: option(count({ unlimited: true }), {
    default: Infinity,
    short: 'n',
    flag: 'count',
    help: 'stop after this many messages, without the warm-up',
    condition: { name: 'count', show: shown(String, 'no limit') },
    notInSearch: ['Probes end after a time, not after a count.', 'Leave out the count.'],
  }),
  /** Stop this long after the warm-up. */
  durationMs: option(duration({ zero: false }), {
    default: Infinity,
    short: 'z',
    flag: 'duration',
    help: 'stop after this long',
    condition: { name: 'duration', show: shown(formatDuration, 'no limit') },
  }),
  /** How long to wait at the end for what is not back yet. */
  drainMs: option(duration(), {
    default: 5_000,
    flag: 'drain',
    help: 'at the end, wait this long for missing echoes',
  }),
  /** A connection that is not made, or a message unanswered, for this long is a failure. */
  timeoutMs: option(duration({ zero: false }), {
    default: 10_000,
    flag: 'timeout',
    help: 'how long to wait for an answer',
    defaultText: '10s; udp: 1s',
  }),
  /** A steady connection that breaks is opened again, and an outage is not a failure by itself. */
  reconnect: option(whether(), {
    default: false,
    flag: 'reconnect',
    help: 'if a connection breaks, open it again; report the outages',
    condition: { name: 'reconnect', show: value => (value === true ? 'yes' : 'no') },
    where: {
      engines: ['node', 'uring'],
      act: 'open broken connections again (reconnect)',
      transports: connected,
      reason: name => `There are no connections on ${name} that could be opened again.`,
    },
  }),
  /** How bytes are moved. */
  engine: option(choice(wantedEnginesTo('load')), {
    default: 'auto',
    flag: 'engine',
    help: 'how bytes are moved',
  }),
  /** Threads that send; they share connections and rate. */
  threads: option(count({ max: 256 }), {
    default: 1,
    flag: 'threads',
    help: 'threads that send',
  }),
  /** Decides payload, sizes and random arrivals. */
  seed: option(count({ min: 0, max: 2 ** 32 - 1 }), {
    default: 1,
    flag: 'seed',
    help: 'decides payload, sizes and random arrivals',
  }),
  /** How the messages of an open loop are spread over time. */
  arrivals: option(choice(arrivalNames, 'how'), {
    default: 'even',
    flag: 'arrivals',
    help: 'how the messages of an open loop are spread',
    condition: { name: 'arrivals', show: shown() },
  }),
  /** What a client sends before the first message. */
  calling: group(callingOptions),
}

/** Objectives such as `p99<5ms`, which decide the verdict too. */
const expect = option(list(text('<objective>')), {
  default: [] as string[],
  flag: 'expect',
  help: "fail unless it holds: 'p99<5ms', 'loss=0', 'rate>=50k/s'; repeatable",
})

export const floodOptions = {
  ...loadOptions,
  drainMs: { ...loadOptions.drainMs, default: 1_000 },
  /** The message that is sent again and again. */
  message: option(message, {
    default: 'Hello!\n',
    positional: true,
    help: 'what to send',
  }),
  expect,
}

export const benchOptions = {
  ...loadOptions,
  /** Stop this long after the warm-up; with a count there is no such limit. */
  durationMs: {
    ...loadOptions.durationMs,
    default: 10_000,
    help: 'measure for this long, after the warm-up',
    defaultText: '10s; with --count no limit',
  },
  /** The warm-up, which is not in the result. */
  warmupMs: option(duration({ endless: false }), {
    default: 1_000,
    flag: 'warmup',
    help: 'send for this long before the measurement begins',
    condition: { name: 'warm-up', show: shown(formatDuration) },
  }),
  /** Bytes in a message, or sizes with weights. */
  sizeBytes: option(sizes, {
    default: 64,
    flag: 'size',
    help: 'bytes in a message: 64, 16-64k or 64:90%,1k-4k:10%',
    condition: {
      name: 'size',
      key: 'sizes',
      show: value => (Array.isArray(value) ? sizesText(value, formatSize) : shown()(value)),
    },
  }),
  /** Open loop whose rate changes: `0..10k/s over 1m, 10k/s for 5m, 0 over 10s`. */
  stages: option(textFor('<stages>', parseStages), {
    default: undefined,
    flag: 'stages',
    help: "open loop whose rate changes: '0..10k/s over 1m, 10k/s for 5m'",
    condition: { name: 'stages', show: shown() },
    notInSearch: ['The search chooses the rate itself.', 'Leave out the stages.'],
  }),
  /** Closed loop: the time between an echo and the next message; `50ms~20ms` varies by 20 ms. */
  thinkTime: option(textFor('<time>', parseThinkTime), {
    default: undefined,
    flag: 'think-time',
    help: 'closed loop: wait before the next message; 50ms~20ms varies',
    condition: { name: 'think time', show: shown() },
    notInSearch: ['The search sends an open loop: it has no think time.', 'Leave it out.'],
  }),
  /** Short connections per second, in addition to the steady ones: connect, echo once, close. */
  churnPerSecond: option(rate({ zero: true }), {
    default: 0,
    flag: 'churn',
    help: 'short connections per second, in addition to the steady ones',
    condition: { name: 'churn', show: shown(value => `${formatCount(value)}/s`) },
    where: {
      engines: ['node', 'uring'],
      act: 'open short connections (churn)',
      transports: connected,
      reason: name => `There are no short connections on ${name}, as there are no connections.`,
    },
  }),
  /** Connections that stay open and idle. */
  idle: option(count({ min: 0 }), {
    default: 0,
    flag: 'idle',
    help: 'connections that stay open and idle',
    condition: { name: 'idle connections', show: shown() },
    where: {
      engines: ['node', 'uring'],
      act: 'hold idle connections',
      transports: connected,
      reason: name => `There are no idle connections on ${name}, as there are no connections.`,
    },
  }),
  /** One machine's part of the load, `2/5`: its connections, and their share of rate and count. */
  slice: option(textFor('<n/of>', parseSlice), {
    default: undefined,
    flag: 'slice',
    help: "send one machine's part of the load, such as 2/5; `yodel merge` adds the parts",
    condition: { name: 'slice', show: shown(String, 'the whole') },
  }),
  /** Agents that share the load, each a slice of it, over a broker: docs/agents.md. */
  agents: option(count({ max: slicesMax }), {
    default: undefined,
    flag: 'agents',
    help: 'let this many agents (`yodel agent`) send the load together',
    condition: { name: 'agents', show: shown(String, 'none') },
  }),
  /** The instant at which sending begins, with the warm-up. Connections are opened before it. */
  startAt: option(textFor('<instant>', parseInstant), {
    default: undefined,
    flag: 'start-at',
    help: 'connect, then begin at this instant: 2026-11-27T10:00:00Z',
  }),
  /**
   * Wrong bytes in a stream that stays in step do not end their connection: they are counted, and
   * the verdict is the same.
   */
  countCorruption: option(whether(), {
    default: false,
    flag: 'count-corruption',
    help: 'count corrupt bytes and go on, while the stream stays in step',
    condition: { name: 'corruption', show: value => (value === true ? 'counted' : 'not counted') },
    where: {
      engines: 'every',
      transports: connected,
      reason: () => 'Corrupt bytes are counted in streams only; on udp whole datagrams are.',
    },
  }),
  expect,
}

/** The options of the search for the highest rate. */
export const searchOptions = {
  /** The objective that has to hold, for example `p99<5ms`. Those of `expect` have to hold, too. */
  objective: option(text('<objective>'), {
    default: undefined,
    flag: 'find-max',
    help: "find the highest rate at which this holds: 'p99<5ms'",
  }),
  /** The largest difference between the found rate and one that failed, as a fraction. */
  precision: option(
    percent(value =>
      value >= 0.01 && value <= 1 ? undefined : 'must be from 0.01 to 1: from 1% to 100%.',
    ),
    { default: 0.05, flag: 'precision', help: 'how exact --find-max is', defaultText: '5%' },
  ),
}

export type SearchOptions = OptionsOf<typeof searchOptions>
export type LoadOptions = OptionsOf<typeof loadOptions>
export type FloodOptions = OptionsOf<typeof floodOptions>
export type BenchOptions = OptionsOf<typeof benchOptions>
