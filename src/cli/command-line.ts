/** The command line: the table of commands, and how errors are reported. */
import { Command, CommanderError, Help } from '@commander-js/extra-typings'
import { errnoOf, failureName } from '../engines/failures.ts'
import { UserError } from '../vocabulary/errors.ts'
import { version } from '../vocabulary/machine.ts'
import { exitCodes } from './exit.ts'
import { commandEnding, programEnding } from './help-texts.ts'
import { forgetInterrupts, print, tell } from './output.ts'

interface CommandRow {
  usage: string
  description: string
  /** Adds the arguments, the flags and the action of the command. */
  load: () => Promise<(command: Command) => void>
  /** It describes all commands, so all of them have to be loaded. It does nothing but print. */
  ofAll?: true
}
/** A command is loaded when it is typed, so that no other command waits for its imports. */
const commands: Record<string, CommandRow> = {
  serve: {
    usage: '[options] [address...]',
    description: 'echo whatever arrives',
    load: async () => (await import('./serve.ts')).completeServe,
  },
  connect: {
    usage: '[options] [address]',
    description: 'type and see the echo; in pipes: cat file | yodel connect > copy',
    load: async () => (await import('./connect.ts')).completeConnect,
  },
  flood: {
    usage: '[options] [address] [message]',
    description: 'send the same message for ever, and verify every echo',
    load: async () => (await import('./flood.ts')).completeFlood,
  },
  bench: {
    usage: '[options] [address]',
    description: 'measure rate and round trips of an echo server, every byte verified',
    load: async () => (await import('./bench.ts')).completeBench,
  },
  check: {
    usage: '[options] [address]',
    description: 'find out what is wrong with the path to an echo endpoint, and where',
    load: async () => (await import('./check.ts')).completeCheck,
  },
  agent: {
    usage: '[options] [broker]',
    description: 'wait at an MQTT broker for shares of loads, and send them',
    load: async () => (await import('./agent.ts')).completeAgent,
  },
  agents: {
    usage: '[options]',
    description: 'list the agents that wait at a broker',
    load: async () => (await import('./agents.ts')).completeAgents,
  },
  ctl: {
    usage: '[options] [command]',
    description: 'look into a running `yodel serve --dashboard`, and change it',
    load: async () => (await import('./ctl.ts')).completeCtl,
  },
  report: {
    usage: '[options] <file>',
    description: 'show a saved result, or write it as a page to look at',
    load: async () => (await import('./report.ts')).completeReport,
  },
  merge: {
    usage: '[options] <files...>',
    description: 'add the results of all slices of a load, which several machines sent',
    load: async () => (await import('./merge.ts')).completeMerge,
  },
  compare: {
    usage: '[options] <file> [files...]',
    description: 'compare the two sides of saved rounds, or saved results with the first one',
    load: async () => (await import('./compare.ts')).completeCompare,
  },
  'compare-engines': {
    usage: '[options]',
    description: 'measure the models of serving side by side on this machine',
    load: async () => (await import('./compare-engines.ts')).completeCompareEngines,
  },
  completion: {
    usage: '[options] <shell>',
    description: 'what bash, zsh or fish needs to complete commands and options',
    load: async () => (await import('./completion.ts')).completeCompletion,
    ofAll: true,
  },
  man: {
    usage: '[options]',
    description: 'the manual page: yodel man | man -l -',
    load: async () => (await import('./man.ts')).completeMan,
    ofAll: true,
  },
}

/** Runs the typed arguments and sets process.exitCode. Returns whether the command succeeded. */
export async function obey(args: string[]): Promise<boolean> {
  if (asksForDetails(args)) {
    const { versionDetails } = await import('./version.ts')
    print(versionDetails())
    return true
  }
  const [asked = '', next] = args.filter(word => !word.startsWith('-'))
  const program = await programWith(asked === 'help' ? next : asked)
  try {
    await program.parseAsync(args, { from: 'user' })
    return true
  } catch (error) {
    const names = program.commands.map(command => command.name())
    process.exitCode = report(error, names.includes(asked) ? `yodel ${asked}` : 'yodel')
    return false
  }
}

/** The program, in which this command is loaded completely, or all commands are. */
export async function programWith(wanted: string | undefined): Promise<Command> {
  const program = createProgram()
  const all = wanted !== undefined && Object.hasOwn(commands, wanted) && commands[wanted]!.ofAll
  for (const [name, { usage, description, load, ofAll }] of Object.entries(commands)) {
    const command = program.command(name).description(description).usage(usage)
    if (name !== wanted && !all) continue
    const complete = await load()
    complete(command)
    if (name === wanted && ofAll) forgetInterrupts()
    command.addHelpText('after', () => commandEnding(name, usage.includes('[address')))
  }
  return program
}

/**
 * Whether the arguments are `--version -v`, in any order. (After a command, -v is an option of that
 * command.)
 */
const asksForDetails = (args: readonly string[]): boolean =>
  args.length === 2 &&
  args.some(word => word === '--version' || word === '-V') &&
  args.some(word => word === '--verbose' || word === '-v')

const createProgram = () =>
  new Command('yodel')
    .description('Call out; count what comes back. An echo server, client and load generator.')
    .version(version)
    .configureOutput({ outputError: () => {} })
    // The help text says what a flag alone means; commander's note of the preset is left out.
    .configureHelp({
      subcommandTerm: command =>
        Object.hasOwn(commands, command.name()) && !command.parent?.parent
          ? `${command.name()} ${command.usage()}`
          : new Help().subcommandTerm(command),
      optionDescription: option =>
        new Help().optionDescription(option).replace(/ \(preset: ""\)/, ''),
    })
    .exitOverride()
    .addHelpText('after', programEnding)

/**
 * Prints the error and returns the exit code.
 * @param command the command whose help is recommended
 */
function report(error: unknown, command: string): number {
  if (error instanceof UserError) {
    tell(`${error.message} ${error.hint}`.trim())
    return exitCodes[error.kind]
  }
  if (error instanceof CommanderError) {
    // Help and version have been printed by now; they are not errors.
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

/**
 * Reports an unexpected error, with its stack.
 * @returns the exit code
 */
export function reportDefect(error: unknown): number {
  // Without descriptors the program cannot even read its own modules.
  if (failureName(error) === 'noDescriptors') {
    tell(`This process has no descriptors left (${errnoOf(error)}). Raise \`ulimit -n\`.`)
    return exitCodes.network
  }
  const stack = error instanceof Error ? error.stack : undefined
  tell(`a defect of yodel, please report it: ${stack ?? String(error)}`)
  return exitCodes.defect
}
