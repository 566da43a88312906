/** Completion for bash, from 3.2 on. */
import { allOf, type CommandDescription, type DescribedOption } from '../described.ts'

export function bashCompletion(program: CommandDescription): string {
  const all = allOf(program)
  return `# bash completion of yodel, made by \`yodel completion bash\`
_yodel() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]}
  local path= options= words= files= i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${path:+$path }\${COMP_WORDS[i]}" in
      ${all
        .filter(({ path }) => path !== '')
        .map(({ path }) => quoted(path))
        .join(' | ')})
        path="\${path:+$path }\${COMP_WORDS[i]}" ;;
    esac
  done
  case "$path:$previous" in
${all.flatMap(valuesOf).join('\n')}
  esac
  case "$path" in
${all.map(caseOf).join('\n')}
  esac
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$current"))
  else
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    if [[ -n $files ]]; then
      compopt -o filenames 2>/dev/null
      COMPREPLY+=($(compgen -f -- "$current"))
    fi
  fi
}
complete -F _yodel yodel
`
}

const quoted = (word: string) => `'${word}'`
const names = ({ long, short }: DescribedOption): string[] =>
  short === undefined ? [long] : [short, long]

/** What may follow an option: its choices, a file, or a value that cannot be guessed. */
function valuesOf({ path, options }: CommandDescription): string[] {
  const taking = options.filter(({ placeholder }) => placeholder.startsWith('<'))
  const patterns = (of: readonly DescribedOption[]) =>
    of.flatMap(option => names(option).map(name => quoted(`${path}:${name}`))).join(' | ')
  const files = taking.filter(({ isFile }) => isFile)
  const chosen = taking.filter(({ choices }) => choices.length > 0)
  const others = taking.filter(option => !files.includes(option) && !chosen.includes(option))
  const lines = chosen.map(
    option =>
      `    ${patterns([option])})\n` +
      `      COMPREPLY=($(compgen -W ${quoted(option.choices.join(' '))} -- "$current"))\n` +
      '      return ;;',
  )
  if (files.length > 0)
    lines.push(
      `    ${patterns(files)})\n` +
        '      compopt -o filenames 2>/dev/null\n' +
        '      COMPREPLY=($(compgen -f -- "$current"))\n' +
        '      return ;;',
    )
  if (others.length > 0) lines.push(`    ${patterns(others)}) return ;;`)
  return lines
}

function caseOf({ path, options, commands, words }: CommandDescription): string {
  const own = [
    ...commands.map(({ path: name }) => name.split(' ').at(-1)!),
    ...words.flatMap(({ choices }) => choices),
  ]
  const parts = [`options=${quoted(options.flatMap(names).join(' '))}`]
  if (own.length > 0) parts.push(`words=${quoted(own.join(' '))}`)
  if (words.some(({ isFile }) => isFile)) parts.push('files=yes')
  return `    ${quoted(path)}) ${parts.join(' ')} ;;`
}
