/** Output: data goes to stdout, everything else to stderr. */

import type { Canvas } from '../report/bars.ts'
import { exitCodes } from './exit.ts'

/** Shows the cursor again, and wipes the live line. */
const wipe = '\r\u001b[K'
let showing = false

/** Prints a line on stderr. */
export const tell = (line: string): void =>
  void process.stderr.write(`${showing ? wipe : ''}yodel: ${line}\n`)

/** Prints data on stdout. */
export const print = (text: string): void => void process.stdout.write(text)

/**
 * Draws a line on stderr again and again, if stderr is a terminal. Returns a function that wipes it
 * and ends it.
 */
export function showLive(line: () => string, everyMs = 500): () => void {
  const { stderr } = process
  if (!stderr.isTTY || process.env.TERM === 'dumb') return () => {}
  const draw = () => stderr.write(`\r${line().slice(0, (stderr.columns || 80) - 1)}\u001b[K`)
  const timer = setInterval(draw, everyMs)
  showing = true
  return () => {
    clearInterval(timer)
    if (showing) stderr.write(wipe)
    showing = false
  }
}

let onEarly: (() => void) | undefined

/**
 * From now on Ctrl-C ends the program with this sentence, until a command handles it.
 * @param end how; while a file is being read only the signal itself ends the program
 */
export function heedInterrupts(
  sentence = 'interrupted before it began',
  end: () => void = () => leave(exitCodes.interrupted),
): void {
  forgetInterrupts()
  onEarly = () => {
    tell(sentence)
    end()
  }
  process.on('SIGINT', onEarly)
}

/**
 * Does the same while files are read: they may be pipes into which nobody writes. The threads that
 * read them would keep the process from exiting.
 */
export const heedWhileReading = (): void =>
  heedInterrupts('interrupted while it read what it was given', () => {
    forgetInterrupts()
    process.kill(process.pid, 'SIGINT')
  })

/**
 * The command does not handle Ctrl-C: the system ends the program, even while its event loop is
 * blocked.
 */
export function forgetInterrupts(): void {
  if (onEarly) process.off('SIGINT', onEarly)
  onEarly = undefined
}

/**
 * Calls `first` on the first SIGINT or SIGTERM; the second leaves at once with 130. Returns a
 * function that restores the default.
 */
export function onInterrupt(first: () => unknown): () => void {
  let interrupted = false
  const listener = () => {
    if (interrupted) process.exit(exitCodes.interrupted)
    interrupted = true
    first()
  }
  process.on('SIGINT', listener).on('SIGTERM', listener)
  forgetInterrupts()
  return () => process.off('SIGINT', listener).off('SIGTERM', listener)
}

/** Ends a command that is interrupted before it is connected: there is nothing to sum up. */
export function leaveUnconnected(): never {
  tell('interrupted before it was connected; nothing was sent')
  return leave(exitCodes.interrupted)
}

/** Ends a command that is interrupted while it waits for its --start-at. */
export function leaveWaiting(): never {
  tell('interrupted before its start; nothing was sent')
  return leave(exitCodes.interrupted)
}

/** Exits at once, although handles may be open. */
export const leave = (exitCode: typeof process.exitCode): never => process.exit(exitCode)

/**
 * Whether text on a stream is coloured: at a terminal, unless the user wants no colours
 * (no-color.org). FORCE_COLOR comes first, as in Node itself; 0 is no.
 */
export function hasColour({ isTTY }: NodeJS.WriteStream): boolean {
  const { FORCE_COLOR, NO_COLOR, TERM } = process.env
  if (FORCE_COLOR !== undefined) return FORCE_COLOR !== '0' && FORCE_COLOR !== 'false'
  if (NO_COLOR !== undefined && NO_COLOR !== '') return false
  return isTTY && TERM !== 'dumb'
}

/**
 * How wide a stream's terminal is, and whether it can show more than ASCII, and colours. If the
 * stream is not a terminal, the environment says how wide (COLUMNS).
 */
export function canvas(stream: NodeJS.WriteStream): Canvas {
  const { TERM, LC_ALL, LC_CTYPE, LANG, COLUMNS } = process.env
  const locale = LC_ALL || LC_CTYPE || LANG || (process.platform === 'win32' ? 'utf-8' : '')
  const unicode = TERM !== 'dumb' && /utf-?8/i.test(locale)
  const columns = stream.columns || Number(COLUMNS) || 80
  return { columns: Math.min(120, Math.max(40, columns)), unicode, colour: hasColour(stream) }
}
