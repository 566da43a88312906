#!/usr/bin/env node
/** The program: parses the arguments, and handles pipes without a reader. */
import { exitCodes } from './exit.ts'
import { heedInterrupts, leave, tell } from './output.ts'

// The rest is loaded after that, since this takes a while.
heedInterrupts()
const { obey, reportDefect } = await import('./command-line.ts')

// A closed stdout or stderr does not stop the program; a pipe of data has its own listener.
process.stderr.on('error', () => {})
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') return
  tell(`Cannot write to stdout: ${error.code}.`)
  process.on('exit', code => void (process.exitCode = code || exitCodes.usage))
})

// Without this handler a defect would exit with 1, the code of the verdict. Node restores the
// terminal when it exits.
process.on('uncaughtException', error => leave(reportDefect(error)))

const done = await obey(process.argv.slice(2))
// A command that failed exits at once, although handles may be open.
if (!done) process.stdout.write('', () => leave(process.exitCode))
