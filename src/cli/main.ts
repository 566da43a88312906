#!/usr/bin/env node
/** The command line: a table of commands, and what becomes of errors. */
import { readFileSync } from 'node:fs'
import { Command, CommanderError } from '@commander-js/extra-typings'
import { UserError } from '../errors.ts'
import { addCompareEngines } from './compare-engines.ts'
import { addConnect } from './connect.ts'
import { exitCodes } from './exit.ts'
import { addFlood } from './flood.ts'
import { tell } from './output.ts'
import { addServe } from './serve.ts'

const { version } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
) as { version: string }

const program = new Command('yodel')
  .description('Call out; count what comes back. An echo server, client and load generator.')
  .version(version)
  .configureOutput({ outputError: () => {} })
  .exitOverride()
  .addHelpText(
    'after',
    `
Addresses: tcp://host:port, host:port, :port, port, unix:/path; IPv6 in brackets.
Exit codes: 0 done, 1 the verdict failed, 2 usage, 3 cannot bind or connect, 130 interrupted.`,
  )

for (const add of [addServe, addConnect, addFlood, addCompareEngines]) add(program)

// Whoever does not read what we say does not stop us; a pipe of data has a listener of its own.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = report(error)
}

function report(error: unknown): number {
  if (error instanceof UserError) {
    tell(`${error.message} ${error.hint}`.trim())
    return exitCodes[error.kind]
  }
  if (error instanceof CommanderError) {
    // Help and version have been printed by now; they are no errors.
    if (error.exitCode === 0) return exitCodes.done
    if (error.code === 'commander.help') return exitCodes.usage
    const message = error.message
      .replace(/^error: /, '')
      // What is wrong with an argument follows, and names it.
      .replace(/^command-argument value .* is invalid for argument '[^']*'\. /, '')
      .replace(/\s*\n\s*/g, ' ')
    const command = program.commands.find(command => command.name() === process.argv[2])
    const help = command ? `yodel ${command.name()} --help` : 'yodel --help'
    tell(`${message.replace(/\.?$/, '.')} See ${help}.`)
    return exitCodes.usage
  }
  tell(`a defect of yodel, please report it: ${(error as Error).stack ?? String(error)}`)
  return exitCodes.defect
}
