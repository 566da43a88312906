#!/usr/bin/env node
/** The program: parses the arguments, and handles pipes without a reader. */
import { obey, reportDefect } from './command-line.ts'
import { exitCodes } from './exit.ts'
import { leave, tell } from './output.ts'

// A closed stdout or stderr does not stop the program; a pipe of data has its own listener.
process.stderr.on('error', () => {})
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') return
  tell(`Cannot write to stdout: ${error.code}.`)
  process.on('exit', code => void (process.exitCode = code || exitCodes.usage))
})

// Node gives the terminal back when it exits, and its own report would end with 1: the verdict's.
process.on('uncaughtException', error => leave(reportDefect(error)))

const done = await obey(process.argv.slice(2))
// A command that failed does not wait for what it may have left open.
if (!done) process.stdout.write('', () => leave(process.exitCode))
