/** yodel completion: what a shell needs to complete what is typed. */
import type { Command as Whole } from 'commander'
import { Argument, type Command } from '@commander-js/extra-typings'
import { bashCompletion } from './completion/bash.ts'
import { fishCompletion } from './completion/fish.ts'
import { zshCompletion } from './completion/zsh.ts'
import { describeCommand } from './described.ts'
import { choice } from '../options/kinds.ts'
import { value } from './flags.ts'
import { print } from './output.ts'

const shells = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion }
type Shell = keyof typeof shells

export function completeCompletion(bare: Command): void {
  const names = Object.keys(shells)
  const shell = new Argument('<shell>', 'which shell it is for')
    .choices(names)
    .argParser(value(text => choice(names, 'shell').parse(text)))
  bare.addArgument(shell).action(typed => {
    // The whole program is loaded for this command: command-line.ts
    const program = bare.parent as unknown as Whole
    print(shells[typed as Shell](describeCommand(program)))
  })
}
