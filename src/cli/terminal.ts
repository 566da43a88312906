/** The terminal of a prompt: lent to the shell and other programs, and restored at every end. */
import { constants } from 'node:os'
import type { Interface } from 'node:readline'

/**
 * Signals that end a program by default and that a listener can catch. Others need no listener, or
 * cannot have one:
 * - SIGINT and SIGTERM end the conversation with its summary. Without a listener, Node restores the
 *   terminal as it does on exit and on SIGSEGV; on no other signal.
 * - SIGUSR1 is Node's own (inspector); SIGPIPE and SIGXFSZ it ignores.
 * - SIGABRT, SIGKILL: leave no time.
 * - SIGBUS, SIGFPE, SIGILL: a listener would run into a true fault again and again, for ever. So
 *   after one of these the terminal is not restored.
 */
const deadly = [
  'SIGHUP',
  'SIGQUIT',
  'SIGALRM',
  'SIGUSR2',
  'SIGVTALRM',
  'SIGPROF',
  'SIGXCPU',
  'SIGIO',
  'SIGPWR',
  'SIGSTKFLT',
  'SIGSYS',
  'SIGTRAP',
] as const

/**
 * Keeps the terminal of `prompt` in order until the prompt is closed: SIGTSTP (Ctrl-Z) returns it
 * to the shell, SIGCONT takes it again, and a signal that ends this process restores it first. If
 * the terminal is gone, this process ends by SIGHUP, even if none arrives.
 */
export function keepTerminal(prompt: Interface): void {
  if (process.platform === 'win32') return
  const heeded: [signal: NodeJS.Signals, act: () => void][] = [
    ['SIGTSTP', suspend],
    ['SIGCONT', resume],
  ]
  for (const signal of deadly)
    if (signal in constants.signals && (signal !== 'SIGPROF' || !isProfiled()))
      heeded.push([signal, () => endBy(signal)])
  // readline would stop only this process, and would not read keys again by itself.
  prompt.on('SIGTSTP', suspend)
  for (const [signal, act] of heeded) process.on(signal, act)
  prompt.once('close', release)
  const { stdin, stdout } = process
  // In raw mode Ctrl-D is a key, so an end or an error means that the terminal is gone. This may
  // come before SIGHUP, and readline would try to set a terminal that no longer exists.
  stdin.prependListener('end', hangUp)
  prompt.on('error', hangUp)
  stdout.prependListener('error', hangUp)

  function suspend() {
    setRaw(false)
    process.off('SIGTSTP', suspend)
    // Stops all processes of the job, as a terminal does: the shell waits for the first one (npx,
    // sudo).
    process.kill(0, 'SIGTSTP')
    // The process was stopped and continues, or was not stopped, because no shell could continue
    // it.
    process.on('SIGTSTP', suspend)
    resume()
  }

  function resume() {
    // The shell has set its own mode. libuv does not set a mode that it believes is set, so set
    // both.
    setRaw(false)
    setRaw(true)
    prompt.prompt(true)
  }

  function endBy(signal: NodeJS.Signals) {
    setRaw(false)
    release()
    process.kill(process.pid, signal)
  }

  function hangUp() {
    endBy('SIGHUP')
  }

  /** Not `error` of the prompt: while it closes, it sets a terminal that may be gone. */
  function release() {
    for (const [signal, act] of heeded) process.off(signal, act)
    stdin.off('end', hangUp)
    stdout.off('error', hangUp)
  }
}

/** The profiler of V8 uses SIGPROF: then the signal does not end the process. */
const isProfiled = (): boolean =>
  [...process.execArgv, process.env.NODE_OPTIONS].some(text => /--(cpu-)?prof\b/.test(text ?? ''))

/** Sets or leaves raw mode. If the terminal is gone, nothing can or need be set. */
function setRaw(raw: boolean) {
  const { stdin } = process
  stdin.once('error', ignore)
  try {
    stdin.setRawMode(raw)
  } catch {
    // A terminal that is gone cannot be set.
  }
  stdin.off('error', ignore)
}

const ignore = () => {}
