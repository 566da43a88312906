/** The terminal of a prompt: lent to whoever else wants it, and given back however we end. */
import { constants } from 'node:os'
import type { Interface } from 'node:readline'

/**
 * What ends a program by default and can be heeded. SIGINT and SIGTERM end the conversation with
 * its summary; SIGUSR1 is Node's own (inspector). SIGABRT, SIGKILL and faults of the processor
 * leave no time; after everything else Node sets the terminal as it found it.
 */
const deadly = [
  'SIGHUP',
  'SIGQUIT',
  'SIGALRM',
  'SIGUSR2',
  'SIGVTALRM',
  'SIGXCPU',
  'SIGXFSZ',
  'SIGIO',
  'SIGPWR',
  'SIGSTKFLT',
  'SIGSYS',
  'SIGTRAP',
] as const

/**
 * Keeps the terminal of `prompt` in order: SIGTSTP (Ctrl-Z) gives it to the shell, SIGCONT takes it
 * again, and a signal that ends us gives it back first. All this until the prompt is closed.
 */
export function keepTerminal(prompt: Interface): void {
  if (process.platform === 'win32') return
  const heeded: [signal: NodeJS.Signals, act: () => void][] = [
    ['SIGTSTP', suspend],
    ['SIGCONT', resume],
  ]
  for (const signal of deadly)
    if (signal in constants.signals) heeded.push([signal, () => endBy(signal)])
  // readline would stop this process only, and then read no key before it is told to.
  prompt.on('SIGTSTP', suspend)
  for (const [signal, act] of heeded) process.on(signal, act)
  prompt.once('close', release)

  function suspend() {
    setRaw(false)
    process.off('SIGTSTP', suspend)
    // The whole job, as the terminal would: the shell waits for the first of it (npx, sudo).
    process.kill(0, 'SIGTSTP')
    // It is over, or was of no effect: where there is no shell that could take us back.
    process.on('SIGTSTP', suspend)
    resume()
  }

  function resume() {
    // The shell has set it its own way, and what is set already libuv does not set again: so both.
    setRaw(false)
    setRaw(true)
    prompt.prompt(true)
  }

  function endBy(signal: NodeJS.Signals) {
    setRaw(false)
    release()
    process.kill(process.pid, signal)
  }

  function release() {
    for (const [signal, act] of heeded) process.off(signal, act)
  }
}

/** A terminal that has gone away cannot be set, and need not be. */
function setRaw(raw: boolean) {
  const { stdin } = process
  stdin.once('error', ignore)
  try {
    stdin.setRawMode(raw)
  } catch {
    // As above.
  }
  stdin.off('error', ignore)
}

const ignore = () => {}
