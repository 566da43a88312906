/** Completion for fish: its conditions ask which commands stand on the line already. */
import { allOf, type CommandDescription, type DescribedOption } from '../described.ts'

export function fishCompletion(program: CommandDescription): string {
  const all = allOf(program)
  const paths = all.filter(({ path }) => path !== '').map(({ path }) => quoted(path))
  return `# fish completion of yodel, made by \`yodel completion fish\`
function __yodel_at
    set -l path ''
    for word in (commandline -opc)[2..-1]
        set -l longer (string trim "$path $word")
        contains -- $longer ${paths.join(' ')}; and set path $longer
    end
    test "$path" = "$argv[1]"
end
complete -c yodel -f
${all.flatMap(linesOf).join('\n')}
`
}

const quoted = (text: string) => `'${text.replaceAll(/['\\]/g, '\\$&')}'`

function linesOf({ path, options, commands, words }: CommandDescription): string[] {
  const at = `complete -c yodel -n ${quoted(`__yodel_at ${quoted(path)}`)}`
  return [
    ...commands.map(
      ({ path: full, said }) => `${at} -a ${full.split(' ').at(-1)} -d ${quoted(said)}`,
    ),
    ...words.flatMap(({ choices, isFile }) => [
      ...choices.map(choice => `${at} -a ${quoted(choice)}`),
      ...(isFile ? [`${at} -F`] : []),
    ]),
    ...options.map(option => `${at} ${optionWords(option)}`),
  ]
}

function optionWords({ long, short, placeholder, choices, isFile, said }: DescribedOption): string {
  const words = [`-l ${long.slice(2)}`]
  if (short !== undefined) words.push(`-s ${short.slice(1)}`)
  if (choices.length > 0) words.push(`-x -a ${quoted(choices.join(' '))}`)
  else if (isFile) words.push('-r -F')
  else if (placeholder.startsWith('<')) words.push('-x')
  return [...words, `-d ${quoted(said)}`].join(' ')
}
