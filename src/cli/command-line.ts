/** The command line: a table of commands, and what becomes of errors. */
import { Command, CommanderError, Help } from '@commander-js/extra-typings'
import { errnoOf, failureName } from '../engines/failures.ts'
import { UserError } from '../errors.ts'
import { version } from '../machine.ts'
import { exitCodes } from './exit.ts'
import { tell } from './output.ts'

type Add = (program: Command) => void
/** A command is loaded when it is asked for: a server need not wait for what draws reports. */
const commands: Record<string, () => Promise<Add>> = {
  serve: async () => (await import('./serve.ts')).addServe,
  connect: async () => (await import('./connect.ts')).addConnect,
  flood: async () => (await import('./flood.ts')).addFlood,
  bench: async () => (await import('./bench.ts')).addBench,
  ctl: async () => (await import('./ctl.ts')).addCtl,
  report: async () => (await import('./report.ts')).addReport,
  compare: async () => (await import('./compare.ts')).addCompare,
  'compare-engines': async () => (await import('./compare-engines.ts')).addCompareEngines,
}

/** Does what was typed behind `yodel`; process.exitCode says how it went. Whether it was done. */
export async function obey(args: string[]): Promise<boolean> {
  const program = createProgram()
  const asked = args[0] ?? ''
  const wanted = Object.hasOwn(commands, asked) ? [commands[asked]!] : Object.values(commands)
  for (const load of wanted) {
    const add = await load()
    add(program)
  }
  try {
    await program.parseAsync(args, { from: 'user' })
    return true
  } catch (error) {
    const names = program.commands.map(command => command.name())
    process.exitCode = report(error, names.includes(asked) ? `yodel ${asked}` : 'yodel')
    return false
  }
}

const createProgram = () =>
  new Command('yodel')
    .description('Call out; count what comes back. An echo server, client and load generator.')
    .version(version)
    .configureOutput({ outputError: () => {} })
    // What a flag alone stands for is said in its own words.
    .configureHelp({
      optionDescription: option =>
        new Help().optionDescription(option).replace(/ \(preset: ""\)/, ''),
    })
    .exitOverride()
    .addHelpText(
      'after',
      `
Addresses: tcp://host:port, host:port, :port, port, unix:/path; IPv6 in brackets.
Exit codes: 0 done, 1 the verdict failed, 2 usage, 3 cannot bind or connect,
4 the measurement is not valid, 70 a defect of yodel, 130 interrupted.`,
    )

/** Says what went wrong. @param command whose help helps; its exit code */
function report(error: unknown, command: string): number {
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
    tell(`${message.replace(/\.?$/, '.')} See ${command} --help.`)
    return exitCodes.usage
  }
  return reportDefect(error)
}

/** An error that is not expected keeps its stack. @returns the exit code */
export function reportDefect(error: unknown): number {
  // The program reads even its own modules from files.
  if (failureName(error) === 'noDescriptors') {
    tell(`This process has no descriptors left (${errnoOf(error)}). Raise \`ulimit -n\`.`)
    return exitCodes.network
  }
  const stack = error instanceof Error ? error.stack : undefined
  tell(`a defect of yodel, please report it: ${stack ?? String(error)}`)
  return exitCodes.defect
}
