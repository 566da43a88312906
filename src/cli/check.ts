/** yodel check: what is wrong with the path to an echo endpoint, and whose fault it is. */
import type { Command } from '@commander-js/extra-typings'
import { check, checkOptions, type CheckOptions } from '../check.ts'
import { checkEndings, checkFormatFor, type CheckFormat } from '../checks/formats.ts'
import type { CheckResult } from '../checks/result.ts'
import { costText, detailsText, headText, questionLine } from '../checks/text.ts'
import { formatAddress, type Address } from '../vocabulary/address.ts'
import { fromFlags, option } from '../options/form.ts'
import { list, typedAs } from '../options/kinds.ts'
import { exitCodes } from './exit.ts'
import { addressArgument, jsonOption } from './flags.ts'
import { addTables, type Tables } from './option-flags.ts'
import { canvas, leave, onInterrupt, print, tell } from './output.ts'
import { checkOutputs, saveResult } from './saving.ts'
import { scenarioTable, withScenario } from './scenario.ts'
import { givenToken } from './token.ts'

interface File {
  path: string
  format: () => Promise<CheckFormat>
}

const outputOptions = {
  ...jsonOption,
  files: option(
    list(
      typedAs<File>(
        '<file>',
        path => ({ path, format: checkFormatFor(path) }),
        ({ path }) => path,
      ),
    ),
    {
      default: undefined,
      short: 'o',
      flag: 'output',
      help: `save the result; the ending decides the format: ${checkEndings}; repeatable`,
    },
  ),
}
const { calling, ...own } = checkOptions
export const checkTables: Tables = [
  [undefined, scenarioTable],
  [undefined, { ...own, ...outputOptions }],
  ['Transports:', { calling }],
]

export function completeCheck(bare: Command): void {
  const command = bare.addArgument(addressArgument('the echo endpoint'))
  addTables(command, checkTables)
  command.action(async (...typed) => {
    const given = { address: typed[0], flags: typed[1] }
    const { address, flags } = await withScenario(command, checkTables, given)
    const { json = false, files = [] } = fromFlags(outputOptions, flags)
    checkOutputs(files.map(({ path }) => path))
    const result = await ask(address, withToken(fromFlags(checkOptions, flags)), json)
    const document = `${JSON.stringify(result)}\n`
    print(json ? document : detailsText(result, canvas(process.stdout)))
    process.exitCode = exitOf(result)
    await saveResult(files, [result], json ? undefined : () => document)
  })
}

/** Adds the token of the control API from the environment, where `ps` does not show it. */
function withToken(options: CheckOptions): CheckOptions {
  const { control } = options
  if (control === undefined || /[?&]token=/.test(control)) return options
  const token = givenToken(undefined)
  if (token === undefined) return options
  const joint = control.includes('?') ? '&' : '?'
  return { ...options, control: `${control}${joint}token=${encodeURIComponent(token)}` }
}

async function ask(address: Address, options: CheckOptions, json: boolean): Promise<CheckResult> {
  const run = check(address, options)
  tell(`will use ${costText(run.cost)}`)
  if (!json)
    run.follow({
      onMode: mode => print(headText(formatAddress(address), mode)),
      onAnswer: answer => print(questionLine(answer, canvas(process.stdout))),
    })
  const restore = onInterrupt(() => {
    tell('interrupted; there is no verdict')
    leave(exitCodes.interrupted)
  })
  return run.finished.finally(restore)
}

const exitOf = ({ verdict }: CheckResult): number =>
  verdict === 'fails'
    ? exitCodes.failed
    : verdict === 'invalid'
      ? exitCodes.invalid
      : exitCodes.done
