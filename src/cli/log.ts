/**
 * The messages of a server. By default these are a few sentences on stderr; with --log-level a log
 * (pino): JSON, or readable lines at a terminal; with --quiet nothing.
 */
import type { destination, Logger } from 'pino'
import { hasColour, tell } from './output.ts'

export const logLevels = ['error', 'warn', 'info', 'debug'] as const
export type LogLevel = (typeof logLevels)[number]

export interface Log {
  /** Whether plain sentences are printed on stderr, where there may also be a live line. */
  isForPeople: boolean
  /** Whether events of this level are written; if not, the caller need not look for them. */
  writes(level: LogLevel): boolean
  /** Prints a sentence for people; a log gets the same content as fields. */
  say(level: LogLevel, sentence: string, fields?: object): void
  /** Writes an event to the log only: by default it would be too much for a terminal. */
  event(level: LogLevel, sentence: string, fields: object): void
  /** Flushes what is not written yet. */
  flush(): void
}

const sentences: Log = {
  isForPeople: true,
  writes: () => false,
  say: (_, sentence) => tell(sentence),
  event: () => {},
  flush: () => {},
}

const silence: Log = { ...sentences, isForPeople: false, say: () => {} }

/** How many bytes may wait for a slow reader; more are dropped. */
const waitingMaxBytes = 2 ** 20

export async function openLog(level: LogLevel | undefined, quiet: boolean): Promise<Log> {
  if (quiet) return silence
  if (level === undefined) return sentences
  const { pino } = await import('pino')
  const options = { fd: 2, sync: false, minLength: 0, maxLength: waitingMaxBytes }
  const destination = pino.destination(options)
  // A closed stdout or stderr does not stop the program.
  destination.on('error', () => {})
  const stream = process.stderr.isTTY ? await readable(destination) : destination
  const logger = pino(
    {
      level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
    },
    stream,
  )
  const write = (level: LogLevel, sentence: string, fields: object) =>
    logger[level](fields, sentence)
  return {
    isForPeople: false,
    writes: level => isWritten(logger, level),
    say: (level, sentence, fields = {}) => write(level, sentence, fields),
    event: write,
    flush() {
      try {
        destination.flushSync()
      } catch {
        // The file could not be opened, or the reader of the pipe has gone.
      }
    },
  }
}

const isWritten = (logger: Logger, level: LogLevel): boolean => logger.isLevelEnabled(level)

type Destination = ReturnType<typeof destination>

async function readable(destination: Destination) {
  const { PinoPretty } = await import('pino-pretty')
  return PinoPretty({
    destination: destination as unknown as NodeJS.WritableStream,
    colorize: hasColour(process.stderr),
    ignore: 'pid',
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss.l',
  })
}

/** Up to this many events of one class per second are written one by one. */
const calmMax = 10

interface Held {
  level: LogLevel
  fields: object
}

/**
 * Bounds the log. Up to ten events of a class within a second are written. If there are more, only
 * the last one is written, with the number of those left out.
 */
export class Storms {
  readonly #log: Log
  readonly #held = new Map<string, Held[]>()
  readonly #counts = new Map<string, number>()

  constructor(log: Log) {
    this.#log = log
  }

  event(level: LogLevel, sentence: string, fields: object): void {
    const count = (this.#counts.get(sentence) ?? 0) + 1
    this.#counts.set(sentence, count)
    const held = this.#held.get(sentence) ?? []
    this.#held.set(sentence, held)
    if (count > calmMax) held.length = 0
    held.push({ level, fields })
  }

  /** To be called once a second: writes what happened in it. */
  endSecond(): void {
    for (const [sentence, held] of this.#held) {
      const leftOut = this.#counts.get(sentence)! - held.length
      for (const { level, fields } of held)
        this.#log.event(level, sentence, leftOut > 0 ? { ...fields, leftOut } : fields)
    }
    this.#held.clear()
    this.#counts.clear()
  }
}
