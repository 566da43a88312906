/** Completion for zsh: a function for each command. */
import {
  allOf,
  type CommandDescription,
  type DescribedOption,
  type DescribedWord,
} from '../described.ts'

export function zshCompletion(program: CommandDescription): string {
  const functions = allOf(program).map(functionOf)
  // A file in $fpath is the body of the function; if it is sourced, the function has to be bound.
  return `#compdef yodel
# zsh completion of yodel, made by \`yodel completion zsh\`
${functions.join('\n')}
if [ "$funcstack[1]" = "_yodel" ]; then
  _yodel "$@"
else
  compdef _yodel yodel
fi
`
}

const nameOf = (path: string) => `_yodel${path === '' ? '' : `_${path}`}`.replaceAll(/[ -]/g, '_')
const quoted = (text: string) => `'${text.replaceAll("'", String.raw`'\''`)}'`
/** Escapes characters that have a meaning in a specification. */
const plain = (text: string) => text.replaceAll(/[\\[\]:]/g, '\\$&')

function functionOf({ path, options, commands, words }: CommandDescription): string {
  const specs = [...options.flatMap(optionSpecs), ...words.map(wordSpec)]
  if (commands.length === 0) return `${nameOf(path)}() {\n  _arguments -s ${joined(specs)}\n}`
  const list = commands.map(({ path: full, said }) =>
    quoted(`${plain(full.split(' ').at(-1)!)}:${plain(said)}`),
  )
  const cases = commands.map(
    ({ path: full }) => `        ${full.split(' ').at(-1)}) ${nameOf(full)} ;;`,
  )
  return `${nameOf(path)}() {
  local context state state_descr line
  typeset -A opt_args
  local -a commands
  commands=(
    ${list.join('\n    ')}
  )
  _arguments -s -C ${joined(specs)} '1: :->command' '*:: :->rest'
  case $state in
    command) _describe command commands ;;
    rest)
      case $line[1] in
${cases.join('\n')}
      esac ;;
  esac
}`
}

const joined = (specs: readonly string[]) => specs.map(spec => `\\\n    ${quoted(spec)}`).join(' ')

function optionSpecs({ long, short, placeholder, said, ...option }: DescribedOption): string[] {
  // With `[value]` the value may be left out; if it is there, it follows an equals sign.
  const value =
    placeholder === ''
      ? ''
      : `${placeholder.startsWith('[') ? '::' : ':'}${plain(bare(placeholder))}:${action(option)}`
  return [long, ...(short === undefined ? [] : [short])].map(
    name => `*${name}[${plain(said)}]${value}`,
  )
}

const bare = (placeholder: string) => placeholder.replaceAll(/[<>[\].]/g, '')

const action = ({ choices, isFile }: Pick<DescribedOption, 'choices' | 'isFile'>): string =>
  choices.length > 0 ? `(${choices.join(' ')})` : isFile ? '_files' : ' '

const wordSpec = ({ name, many, ...word }: DescribedWord): string =>
  `${many ? '*' : ''}:${plain(name)}:${action(word)}`
