/**
 * Checks that the generated parts of the documents match the code. To make them again:
 *
 *     npm run build && PAGES=write node build/test/run.js pages
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { faultKinds } from '../faults/index.ts'
import { anywhere } from '../checks/answering.ts'
import { checkLimits } from '../checks/limits.ts'
import { checkDefaults } from '../checks/options.ts'
import { questionNames, questionOf } from '../checks/question-table.ts'
import { appliesTo } from '../faults/applicable.ts'
import {
  abilities,
  engineCan,
  engineNames,
  engineSpeaks,
  type Ability,
} from '../vocabulary/engine-names.ts'
import { benchOptions } from '../load/options.ts'
import { optionsIn } from '../options/form.ts'
import { isForEngine, isForSomeEngines } from '../options/where.ts'
import { serveOptions } from '../options/serve.ts'
import { metricNames } from '../report/objective.ts'
import { validityRows } from '../report/validity.suite.ts'
import { transportNames } from '../vocabulary/transport.ts'
import { formatDuration } from '../vocabulary/units.ts'
import { programWith } from '../cli/command-line.ts'
import { describeCommand } from '../cli/described.ts'
import { manPage } from '../cli/man.ts'
import { usualOf } from '../cli/option-flags.ts'
import { ownOptions, optionPages } from '../cli/options-page.suite.ts'
import { counters, metricFamilies, servedCounters, type Counter } from '../metrics/counters.ts'

const root = new URL('../../', import.meta.url)

const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
const table = (head: readonly string[], rows: readonly (readonly string[])[]) =>
  [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n')
const yes = (is: boolean) => (is ? 'yes' : '')

function metricRows(): string[][] {
  const shown = servedCounters.map((name): Counter => counters[name])
  const own = shown.flatMap(({ metric, help }) =>
    typeof metric === 'string' ? [[`\`${metric}\``, help, '']] : [],
  )
  const grouped = Object.entries(metricFamilies).map(([family, { label, help }]) => {
    const values = shown.flatMap(({ metric }) =>
      typeof metric === 'object' && metric.family === family ? [metric.value] : [],
    )
    return [`\`${family}\``, help, `\`${label}\`: ${values.join(', ')}`]
  })
  return [...own, ...grouped]
}

function engineRows(): string[][] {
  const options = [...optionsIn(serveOptions), ...optionsIn(benchOptions)]
    .map(([, row]) => row)
    .filter(isForSomeEngines)
  return [
    ...transportNames.map(transport => [
      `speak ${transport}`,
      ...engineNames.map(name => yes(engineSpeaks(name, transport))),
    ]),
    ...Object.entries(abilities).map(([ability, act]) => [
      act,
      ...engineNames.map(name => yes(engineCan(name, ability as Ability))),
    ]),
    ...options.map(row => [
      row.where!.act!,
      ...engineNames.map(name => yes(isForEngine(row, name))),
    ]),
  ]
}

function objectiveRows(): string[][] {
  const quoted = (names: readonly string[]) => names.map(name => `\`${name}\``).join(' ')
  const prefixes = metricNames.distributions.map(name => `${name}.`)
  return [
    ['a time', quoted(['p50', 'p90', 'p99', 'p99.9', 'min', 'mean', 'max']), quoted(prefixes)],
    ['the whole run', quoted(metricNames.totals), ''],
    ['the whole run, udp only', quoted(metricNames.datagrams), ''],
  ]
}

/** The files of a folder and of those in it, each with the first sentence of its first comment. */
function mapOf(top: string): string[] {
  const files = readdirSync(new URL(top, root), { recursive: true, encoding: 'utf8' })
    .map(file => `${top}${file.replaceAll('\\', '/')}`)
    .filter(file => /(?<!\.(test|suite))\.tsx?$/.test(file))
    .toSorted()
  const folders = byFolder(files)
  return [...folders].flatMap(([folder, own]) => [
    `## ${folder}`,
    '',
    ...own.map(file => wrapped(`- \`${file.slice(folder.length)}\`: ${firstSentence(file)}`)),
    '',
  ])
}

/** An item of a list, in lines of 100 columns. */
function wrapped(item: string): string {
  const lines = ['']
  for (const word of item.split(' ')) {
    const line = lines.at(-1)!
    if (line.length + 1 + word.length > 100) lines.push(`  ${word}`)
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`
  }
  return lines.join('\n')
}

const folderOf = (file: string) => file.slice(0, file.lastIndexOf('/') + 1)

function byFolder(files: string[]): Map<string, string[]> {
  const folders = new Map<string, string[]>()
  for (const file of files)
    folders.set(folderOf(file), [...(folders.get(folderOf(file)) ?? []), file])
  return folders
}

function firstSentence(file: string): string {
  const text = readFileSync(new URL(file, root), 'utf8')
  const [, comment = ''] = /^(?:#!.*\n)?\/\*\*?([\s\S]*?)\*\//.exec(text) ?? []
  const words = comment.replaceAll(/\n \*/g, ' ').replaceAll(/\s+/g, ' ').trim()
  return /^.*?\.(?= |$)/.exec(words)?.[0].slice(0, -1) ?? words
}

const questionRows = (): string[][] =>
  questionNames.map(name => {
    const { idleMs, maxConnections } = checkDefaults
    const question = questionOf(name)
    const { asks, transports, figures } = question
    const most = formatDuration(question.cost(checkLimits(false, idleMs, maxConnections)).ms)
    const expected = Object.keys(figures).map(figure => `\`${figure}\``)
    const link = `[\`${name}\`](#${name})`
    return [link, asks, transports.join(', '), expected.join(', '), most]
  })

const findingRows = (): string[][] =>
  [
    ...questionNames.map(name => [name, questionOf(name).findings] as const),
    ['each question', anywhere] as const,
  ].flatMap(([name, findings]) =>
    Object.entries(findings).map(([finding, { outcome, effect, advice }]) => [
      `${name}: **${finding}**`,
      outcome,
      effect,
      advice,
    ]),
  )

/** What stands between `<!-- NAME -->` and `<!-- end -->`. */
const parts: Record<string, { page: string; text: () => string }> = {
  'what each engine can do': {
    page: 'docs/engines.md',
    text: () => table(['', ...engineNames], engineRows()),
  },
  'counters of a server': {
    page: 'docs/metrics.md',
    text: () => table(['name', 'counts', 'one more label'], metricRows()),
  },
  metrics: {
    page: 'docs/compare.md',
    text: () => table(['what is measured', 'metric', 'one of these prefixes'], objectiveRows()),
  },
  'options of each command': { page: 'docs/options.md', text: () => optionPages(table) },
  'cases of a generator that was held up': {
    page: 'docs/validity.md',
    text: () => table(['case', 'marked', 'verdict, exit code', 'said'], validityRows()),
  },
  map: { page: 'docs/map.md', text: () => [...mapOf('src/'), ...mapOf('page/')].join('\n').trim() },
  'questions of check': {
    page: 'docs/check.md',
    text: () => table(['question', 'asks', 'on', 'figures', 'ends after'], questionRows()),
  },
  'findings of check': {
    page: 'docs/check.md',
    text: () => table(['finding', 'outcome', 'what it does', 'what to look at'], findingRows()),
  },
  'faults by transport': {
    page: 'docs/faults.md',
    text: () =>
      table(
        ['', ...transportNames],
        faultKinds.map(kind => [kind, ...transportNames.map(name => yes(appliesTo(kind, name)))]),
      ),
  },
}

test('docs/faults.md has a line for each fault', () => {
  const lines = readFileSync(new URL('docs/faults.md', root), 'utf8').split('\n')
  for (const kind of faultKinds) {
    const found = lines.find(line => line.startsWith(`| \`${kind}`) && line.includes(`'${kind}'`))
    assert.ok(found, `docs/faults.md says nothing of ${kind}.`)
  }
})

test('docs/check.md has a section for each question', () => {
  const text = readFileSync(new URL('docs/check.md', root), 'utf8')
  for (const name of questionNames)
    assert.match(text, new RegExp(`^### ${name}$`, 'm'), `docs/check.md says nothing of ${name}.`)
})

test('the page of a command names each of its options, with its default', () => {
  for (const [page, rows] of ownOptions) {
    const text = readFileSync(new URL(`docs/${page}.md`, root), 'utf8')
    for (const row of rows) {
      const flag = `--${row.flag}`
      assert.match(text, new RegExp(`${flag}\\b`), `docs/${page}.md says nothing of ${flag}.`)
      const line = text.split('\n').find(each => each.startsWith(`| \`${flag}`))
      // Words beside the value say more than the table of options.
      const [, value] = / \| `([^`]+)` \|$/.exec(line ?? '') ?? []
      if (value !== undefined) assert.equal(value, usualOf(row) || '0', `docs/${page}.md: ${flag}`)
    }
  }
})

test('README.md has a line for each transport', () => {
  const lines = readFileSync(new URL('README.md', root), 'utf8').split('\n')
  const table = lines.filter(line => line.startsWith('| `')).join('\n')
  for (const name of transportNames)
    assert.match(table, new RegExp(`\`${name}:`), `README.md has no line for ${name}`)
})

test('ARCHITECTURE.md names every folder of src/', () => {
  const text = readFileSync(new URL('ARCHITECTURE.md', root), 'utf8')
  const folders = readdirSync(new URL('src/', root), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isDirectory())
    .map(({ name }) => name)
  for (const name of folders)
    assert.ok(text.includes(`${name}/`), `Write src/**/${name}/ into the map of ARCHITECTURE.md.`)
})

test('docs/yodel.1 is the manual page', async () => {
  const path = new URL('docs/yodel.1', root)
  const program = await programWith('man')
  const text = manPage(describeCommand(program as never))
  if (process.env['PAGES'] === 'write') writeFileSync(path, text)
  else assert.ok(readFileSync(path, 'utf8') === text, 'Make it again, as the pages of docs/')
})

for (const [name, { page, text }] of Object.entries(parts)) {
  test(`${page} says what the code does: ${name}`, () => {
    const path = new URL(page, root)
    const before = readFileSync(path, 'utf8')
    const [head, rest] = before.split(`<!-- ${name} -->\n`) as [string, string]
    assert.ok(rest, `${page} has no place for: ${name}`)
    const tail = rest.slice(rest.indexOf('<!-- end -->'))
    const after = `${head}<!-- ${name} -->\n\n${text()}\n\n${tail}`
    if (process.env['PAGES'] === 'write') writeFileSync(path, after)
    else
      assert.ok(
        before === after,
        `${page} is not what the code says. ` +
          'Make it again: npm run build && PAGES=write node build/test/run.js pages',
      )
  })
}
