/** Reads the Containerfile, and does its steps in empty folders where nothing can build it. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, relative, sep } from 'node:path'
import { root } from './program.ts'

type Instruction = [keyword: string, rest: string]

export const instructions: Instruction[] = readFileSync(`${root}Containerfile`, 'utf8')
  .replaceAll(/\\\n/g, ' ')
  .split('\n')
  .filter(line => line !== '' && !line.startsWith('#'))
  .map(line => /^([A-Z]+)\s+(.*)$/.exec(line)!.slice(1) as Instruction)

const lastFrom = instructions.findLastIndex(([keyword]) => keyword === 'FROM')

/** What the last stage says of it; of HEALTHCHECK what follows CMD. */
export function said(keyword: string): string {
  const found = instructions.slice(lastFrom).find(([name]) => name === keyword)
  return found?.[1].replace(/^--.* CMD /, '') ?? ''
}
export const listSaid = (keyword: string) => JSON.parse(said(keyword)) as string[]

/** Whether a path of the repository is kept from a builder. */
function isIgnored(path: string): boolean {
  const patterns = readFileSync(`${root}.dockerignore`, 'utf8').trim().split('\n')
  return patterns.some(pattern => {
    const anywhere = pattern.startsWith('**/')
    const subject = anywhere ? basename(path) : path
    const text = pattern
      .replace(/^\*\*\//, '')
      .replaceAll('.', '\\.')
      .replaceAll('*', '[^/]*')
    return new RegExp(`^${text}$`).test(subject)
  })
}

/** A stage is a folder, and a path of the image lies in it. */
class Stage {
  readonly folder = mkdtempSync(join(tmpdir(), 'yodel-stage-'))
  #workdir = this.folder

  at(path: string): string {
    return path.startsWith('/') ? join(this.folder, path) : join(this.#workdir, path)
  }

  enter(path: string): void {
    this.#workdir = this.at(path)
    mkdirSync(this.#workdir, { recursive: true })
  }

  run(command: string): void {
    const { status, stdout, stderr } = spawnSync(command, {
      shell: true,
      cwd: this.#workdir,
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(`RUN ${command} ended with ${status}: ${stdout}${stderr}`)
  }
}

/** The steps up to the last stage. @returns its folder, and how to remove all folders */
export function replay(): { folder: string; folders: string[] } {
  const stages = new Map<string, Stage>()
  let stage: Stage | undefined
  for (const [keyword, rest] of instructions) {
    const words = rest.split(/\s+/)
    if (keyword === 'FROM') {
      const name = words.at(-2) === 'AS' ? words.at(-1)! : `stage ${stages.size}`
      stages.set(name, (stage = new Stage()))
    } else if (keyword === 'WORKDIR') stage!.enter(rest)
    else if (keyword === 'RUN') stage!.run(rest)
    else if (keyword === 'COPY') copy(words, stage!, stages)
  }
  const folders = [...stages.values()].map(({ folder }) => folder)
  return { folder: stage!.folder, folders }
}

function copy(words: string[], stage: Stage, stages: Map<string, Stage>): void {
  const from = words[0]!.startsWith('--from=') ? words.shift()!.slice('--from='.length) : undefined
  const target = stage.at(words.pop()!)
  for (const word of words) {
    const source = from === undefined ? join(root, word) : stages.get(from)!.at(word)
    // Of a folder it is what lies in it that is copied.
    const names = statSync(source).isDirectory() ? readdirSync(source) : ['']
    for (const name of names) {
      const path = join(source, name)
      const isKept = (inside: string) =>
        from !== undefined || !isIgnored(relative(root, inside).replaceAll(sep, '/'))
      const intoFolder = name !== '' || words.length > 1 || target.endsWith('/')
      const own = intoFolder ? join(target, name || basename(source)) : target
      if (isKept(path)) cpSync(path, own, { recursive: true, filter: isKept })
    }
  }
}
