/** yodel man: the manual page, in the format of man(7). */
import type { Command as Whole } from 'commander'
import type { Command } from '@commander-js/extra-typings'
import { version } from '../vocabulary/machine.ts'
import {
  allOf,
  describeCommand,
  type CommandDescription,
  type DescribedOption,
} from './described.ts'
import { addressRows, exitRows, unitText } from './help-texts.ts'
import { print } from './output.ts'

export function completeMan(bare: Command): void {
  bare.action(() => print(manPage(describeCommand(bare.parent as unknown as Whole))))
}

const environment: readonly [name: string, said: string][] = [
  ['YODEL_TOKEN', 'the token of a dashboard, for serve, ctl and check'],
  ['YODEL_BROKER', 'the MQTT broker at which agents wait'],
  ['YODEL_FLEET_TOKEN', 'the secret that agents and bench share'],
  ['NO_COLOR', 'no colour, if it is not empty'],
  ['FORCE_COLOR', 'colour even without a terminal; 0: no colour'],
  ['COLUMNS', 'how wide reports are without a terminal'],
]

export function manPage(program: CommandDescription): string {
  const commands = allOf(program).filter(({ path }) => path !== '')
  return [
    // Without a date, so that it stays the same while nothing changes.
    `.TH YODEL 1 "" "yodel ${version}" "User Commands"`,
    '.SH NAME',
    'yodel \\- an echo server, echo client and echo load generator',
    '.SH SYNOPSIS',
    '.B yodel',
    '.I COMMAND',
    '[options] [arguments]',
    '.SH DESCRIPTION',
    plain(
      'It shows whether a network path works, whether it delivers every byte, and how fast it ' +
        'is. Every byte that comes back is compared with what was sent; every round trip is ' +
        'measured.',
    ),
    ...commands.flatMap(sectionOf),
    '.SH ADDRESSES',
    ...addressRows.flatMap(item),
    '.SH UNITS',
    plain(unitText),
    '.SH EXIT STATUS',
    ...exitRows.flatMap(item),
    '.SH ENVIRONMENT',
    ...environment.flatMap(item),
    '.SH SEE ALSO',
    'The folder docs of the package has a page for each command.\n',
  ].join('\n')
}

function sectionOf({ path, usage, said, options, words, examples }: CommandDescription): string[] {
  const top = !path.includes(' ')
  return [
    `${top ? '.SH' : '.SS'} ${plain(`yodel ${path}`.toUpperCase())}`,
    `.B yodel ${plain(path)}`,
    plain(usage),
    '.PP',
    plain(said[0]!.toUpperCase() + said.slice(1) + '.'),
    ...words.filter(word => word.said !== '').flatMap(word => item([word.name, word.said])),
    ...options.filter(({ long }) => long !== '--help').flatMap(optionItem),
    ...(examples.length > 0
      ? ['.PP', 'Examples:', ...examples.flatMap(([typed, does]) => item([typed, does]))]
      : []),
  ]
}

function optionItem({ long, short, placeholder, said, choices }: DescribedOption): string[] {
  const names = [short, long].filter(name => name !== undefined)
  const among = choices.length > 0 ? `; one of ${choices.join(', ')}` : ''
  return [
    '.TP',
    `${names.map(name => `\\fB${plain(name)}\\fR`).join(', ')} ${plain(placeholder)}`.trimEnd(),
    plain(said + among),
  ]
}

const item = ([name, said]: readonly [string, string]): string[] => [
  '.TP',
  `.B ${plain(name)}`,
  plain(said),
]

/**
 * Escapes text for roff, so that no dot or apostrophe begins a request, and no backslash an escape.
 */
const plain = (text: string): string =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '\\(ga')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti')
    .replace(/^\./, '\\&.')
