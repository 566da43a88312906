/** The commands as plain data, for completion and the man page: what the tables of options say. */
import type { Command, Option } from 'commander'
import { examples, type Example } from './examples.ts'
import { flagKinds } from './option-flags.ts'

export interface DescribedOption {
  /** `--rate`, and `-q`. */
  long: string
  short: string | undefined
  /** `<rate>`; '' for a flag alone. `[address]`: the value may be left out. */
  placeholder: string
  /** All values, if there are only a few. */
  choices: readonly string[]
  isFile: boolean
  said: string
  /** The heading above the options in the help, if there is one. */
  heading: string | undefined
}

export interface CommandDescription {
  /** `ctl faults set`, without the name of the program; '' for the program itself. */
  path: string
  usage: string
  said: string
  options: DescribedOption[]
  words: DescribedWord[]
  commands: CommandDescription[]
  examples: readonly Example[]
}

/** An argument. */
export interface DescribedWord {
  name: string
  said: string
  choices: readonly string[]
  isFile: boolean
  many: boolean
}

const help: DescribedOption = {
  long: '--help',
  short: '-h',
  placeholder: '',
  choices: [],
  isFile: false,
  said: 'show help',
  heading: undefined,
}

/** @param program with all its commands complete */
export function describeCommand(program: Command, path = ''): CommandDescription {
  return {
    path,
    usage: program.usage(),
    said: program.description(),
    options: [...program.options.filter(({ hidden }) => !hidden).map(optionOf), help],
    words: program.registeredArguments.map(argument => ({
      name: argument.name(),
      said: argument.description,
      choices: argument.argChoices ?? [],
      isFile: /^files?$/.test(argument.name()),
      many: argument.variadic,
    })),
    commands: program.commands.map(command =>
      describeCommand(command, `${path} ${command.name()}`.trim()),
    ),
    examples: examples[path] ?? [],
  }
}

function optionOf(option: Option): DescribedOption {
  const kind = flagKinds.get(option)
  const [, placeholder = ''] = / ([<[].*)$/.exec(option.flags) ?? []
  return {
    long: option.long ?? '',
    short: option.short,
    placeholder,
    choices: kind?.choices ?? option.argChoices ?? [],
    isFile: placeholder === '<file>' || kind?.file === true,
    said: option.description,
    heading: option.helpGroupHeading,
  }
}

/** The command itself, and all commands below it. */
export const allOf = (top: CommandDescription): CommandDescription[] => [
  top,
  ...top.commands.flatMap(allOf),
]
