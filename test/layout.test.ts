/** The layout of src/ is part of the design, so it is tested like everything else. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path/posix'
import { test } from 'node:test'
import { root } from './program.ts'

/** A file may import its own part and any part named before it: so there are no circles. */
const parts = [
  'vocabulary wire metrics faults options',
  'load task report engines threads checks serve connect bench check fleet index dashboard cli',
].flatMap(names => names.split(' '))

/** Words that may stand only in the named place, because one place owns that concern. */
const owners: Record<string, string> = {
  'console.': 'cli/',
  'process.exit(': 'cli/output.ts',
  'process.exitCode': 'cli/',
  'process.stdout': 'cli/',
  'process.stderr': 'cli/',
  "('koffi')": 'engines/os/libc.ts',
  'Math.random': 'nowhere: pass a seed',
  'enum ': 'nowhere: use a const object',
  FIXME: 'nowhere: finish it first',
  TODO: 'nowhere: finish it first',
}

const partOf = (file: string) => file.split('/')[0]!.replace(/\.ts$/, '')
/** The engine of a file. engines/os/ is no engine: it is for all of them. */
const engineOf = (file: string) => /^engines\/(?!os\/)(\w+)\//.exec(file)?.[1]
/** Exports that open no socket, from modules with sockets: wire/ may use them. */
const socketless = [
  'isIP isIPv4 isIPv6 BlockList createSecureContext rootCertificates SecureContext',
  'hostname networkInterfaces crc32',
].flatMap(names => names.split(' '))
const withoutSockets = ['node:buffer', 'node:crypto', 'node:url']
const filesIn = (folder: string, pattern: RegExp) =>
  readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' })
    .map(file => file.replaceAll('\\', '/'))
    .filter(file => pattern.test(file))
    .toSorted()

const files = filesIn('src', /(?<!\.(test|suite))\.ts$/)
/** The page is a program of its own, for the browser. */
const pageFiles = filesIn('page', /\.(tsx?|css)$/)
const source = new Map(files.map(file => [file, readFileSync(`${root}src/${file}`, 'utf8')]))
/** `from './a'`, `import('./a')`, and `import './a'`. */
const targetsIn = (file: string, text: string) =>
  [...text.matchAll(/\b(?:from|import) ?\(? ?'(\.[^']+)'/g)].map(match =>
    join(dirname(file), match[1]!),
  )
const imports = (file: string) => targetsIn(file, source.get(file)!)

/** Sets of files that import one another in a circle. */
function circlesOf(names: readonly string[], importsOf: (name: string) => string[]): string[][] {
  const reached = new Map(names.map(name => [name, new Set<string>()]))
  for (const [name, all] of reached) {
    const open = [name]
    for (let next = open.pop(); next !== undefined; next = open.pop())
      for (const target of importsOf(next))
        if (reached.has(target) && !all.has(target)) {
          all.add(target)
          open.push(target)
        }
  }
  const circles = names.map(name =>
    names.filter(other => reached.get(name)!.has(other) && reached.get(other)!.has(name)),
  )
  const found = circles.filter(circle => circle.length > 0).map(circle => circle.join(' '))
  return [...new Set(found)].map(circle => circle.split(' '))
}

/** Why a file may not import another; undefined if it may. */
function misplaced(file: string, target: string): string | undefined {
  const [from, to] = [parts.indexOf(partOf(file)), parts.indexOf(partOf(target))]
  if (from < 0) return `${partOf(file)} has no place in the order`
  if (to < 0 || to > from) return `${file} imports ${target}`
  const [mine, theirs] = [engineOf(file), engineOf(target)]
  if (theirs === undefined || mine === theirs) return undefined
  if (mine !== undefined) return `${file} imports another engine: ${target}`
  if (target === `engines/${theirs}/index.ts`) return undefined
  return `${file} imports from deep inside an engine: ${target}`
}

test('imports point down, into an engine only by its index', () => {
  const found = files.flatMap(file => imports(file).map(target => misplaced(file, target)))
  assert.deepEqual(
    found.filter(reason => reason !== undefined),
    [],
  )
  // Made cases are judged right.
  const made: [file: string, target: string, ok: boolean][] = [
    ['wire/udp/guard.ts', 'vocabulary/units.ts', true],
    ['wire/udp/guard.ts', 'metrics/meter.ts', false],
    ['nowhere/a.ts', 'vocabulary/units.ts', false],
    ['connect.ts', 'engines/node/index.ts', true],
    ['cli/pipe.ts', 'engines/os/libc.ts', true],
    ['cli/pipe.ts', 'engines/node/core/listener.ts', false],
    ['engines/index.ts', 'engines/uring/ring.ts', false],
    ['engines/uring/serve.ts', 'engines/uring/ring.ts', true],
    ['engines/uring/serve.ts', 'engines/node/index.ts', false],
  ]
  for (const [file, target, ok] of made)
    assert.equal(misplaced(file, target) === undefined, ok, `${file} ${target}`)
})

/** What a file takes from outside of src that could open a socket. */
function socketsIn(text: string): string[] {
  const outside = [...text.matchAll(/^(?:import|export (?=[{*]))([^']*)'([^.'][^']*)'/gm)]
  return outside
    .filter(([, , from]) => !withoutSockets.includes(from!))
    .flatMap(([, names, from]) =>
      names!
        .replaceAll(/\btype\b|\bfrom\b|[{}\s]/g, '')
        .split(',')
        .filter(name => !socketless.includes(name))
        .map(name => `${name} of ${from}`),
    )
}

test('the protocols of wire/ open no socket', () => {
  for (const file of files.filter(file => partOf(file) === 'wire'))
    assert.deepEqual(socketsIn(source.get(file)!), [], file)
  const made = "import { isIP, connect } from 'node:net'\nimport { createHash } from 'node:crypto'"
  assert.deepEqual(socketsIn(`${made}\nimport type { WebSocket } from 'ws'\n`), [
    'connect of node:net',
    'WebSocket of ws',
  ])
})

test('no files import one another in a circle, types neither', () => {
  assert.deepEqual(circlesOf(files, imports), [])
  const page = pageFiles.filter(file => /\.tsx?$/.test(file))
  const ofPage = (file: string) => targetsIn(file, readFileSync(`${root}page/${file}`, 'utf8'))
  assert.deepEqual(circlesOf(page, ofPage), [])
  // A made circle is found; a file that only leads to it is not part of it.
  const made: Record<string, string[]> = { a: ['b'], b: ['c'], c: ['b', 'd'], d: [] }
  assert.deepEqual(
    circlesOf(Object.keys(made), file => made[file]!),
    [['b', 'c']],
  )
  const texts: Record<string, string> = {
    'a/a.ts': "import './b.ts'\n",
    'a/b.ts': "export const b = () => import('../c.ts')\n",
    'c.ts': "import type { A } from './a/a.ts'\nexport const from = 'd.ts'\n",
    'd.ts': "import { c } from './c.ts'\n",
  }
  assert.deepEqual(
    circlesOf(Object.keys(texts), file => targetsIn(file, texts[file]!)),
    [['a/a.ts', 'a/b.ts', 'c.ts']],
  )
})

/** The files that are loaded together with a file: without those that it imports only later. */
function loadedWith(file: string): Set<string> {
  const loaded = new Set([file])
  for (const each of loaded) {
    const text = source.get(each)!.replaceAll(/(?:import|export) type [^']*'[^']*'/g, '')
    for (const [, target] of text.matchAll(/\b(?:from|import) '(\.[^']+)'/g))
      loaded.add(join(dirname(each), target!))
  }
  return loaded
}

test('a command loads what it needs', () => {
  const program = loadedWith('cli/main.ts')
  assert.ok(program.size < 20, [...program].join())
  const lazy: Record<string, RegExp> = {
    'cli/main.ts': /^(load|report|engines\/node|options|cli\/(bench|serve|connect|flags))/,
    'cli/connect.ts': /^(load|report|metrics|faults|threads)/,
    'cli/bench.ts': /^(faults|dashboard|report\/(html|hgrm|csv|find-max))/,
    'cli/flood.ts': /^(faults|dashboard|report\/(html|hgrm|csv|find-max))/,
    'cli/serve.ts': /^(load|dashboard|bench|report\/(html|load))/,
    'cli/report.ts': /^(faults|dashboard|engines\/node|threads|report\/(html|hgrm|csv))/,
  }
  for (const [file, unneeded] of Object.entries(lazy)) {
    const found = [...loadedWith(file)].filter(other => unneeded.test(other))
    assert.deepEqual(found, [], `${file} loads at once what it may never need`)
  }
})

test('every file is used', () => {
  const used = new Set(files.flatMap(imports))
  const entries = ['index.ts', 'cli/main.ts', 'threads/worker.ts', 'dashboard/api.ts']
  entries.push('engines/blocking/client-thread.ts')
  assert.deepEqual(
    files.filter(file => !used.has(file) && !entries.includes(file)),
    [],
  )
})

test('files are short and lines fit, controls and documents too', () => {
  const sources = ['src', 'page', 'test', 'benchmarks', 'examples'].flatMap(folder =>
    filesIn(folder, /\.(tsx?|css|mjs|c|go|rs|py)$/).map(file => `${folder}/${file}`),
  )
  const site = readdirSync(`${root}site`).filter(name => /\.(js|css)$/.test(name))
  for (const file of [...sources, ...site.map(name => `site/${name}`)]) {
    const lines = readFileSync(`${root}${file}`, 'utf8').trimEnd().split('\n')
    assert.ok(lines.length <= 300, `${file} has ${lines.length} lines`)
    for (const [index, line] of lines.entries())
      assert.ok(line.length <= 100, `${file}:${index + 1} is ${line.length} columns wide`)
  }
})

/** Lines that are too wide, outside of tables, code, headings, pictures and addresses of links. */
function wideLines(text: string): number[] {
  const lines = text.split('\n')
  let isCode = false
  return lines.flatMap((line, index) => {
    if (/^\s*```/.test(line)) isCode = !isCode
    const isProse = !isCode && !/^(\||#|!\[|<!--|\[[^\]]+\]: |\s*```)/.test(line)
    return isProse && line.length > 100 ? [index + 1] : []
  })
}

test('lines of documents fit, too', () => {
  const pages = filesIn('docs', /\.md$/).map(file => `docs/${file}`)
  for (const name of [
    'README',
    'ARCHITECTURE',
    'CONTRIBUTING',
    'CHANGELOG',
    'SECURITY',
    'deploy/README',
    'deploy/ssh',
    'benchmarks/README',
  ])
    pages.push(`${name}.md`)
  for (const page of pages)
    assert.deepEqual(wideLines(readFileSync(`${root}${page}`, 'utf8')), [], `${page}: too wide`)
  const wide = 'word '.repeat(21)
  const made = [wide, `| ${wide} |`, '```', wide, '```', `- ${wide}`, 'short']
  assert.deepEqual(wideLines(made.join('\n')), [1, 6])
})

test('every file says what it is for', () => {
  for (const [file, text] of source)
    assert.match(text.replace(/^#!.*\n/, ''), /^(\/\*\*|\/\/) ?/, `${file} begins without a word`)
  for (const file of pageFiles)
    assert.match(readFileSync(`${root}page/${file}`, 'utf8'), /^\/\*\*?\s+\S/, `${file}: no word`)
})

test('the page takes from src/ types, and what a browser can run', () => {
  for (const file of pageFiles) {
    const text = readFileSync(`${root}page/${file}`, 'utf8')
    for (const [, kind, target] of text.matchAll(
      /(import(?: type)?)\s[^']*'\.\.\/src\/([^']+)'/g,
    )) {
      const words = ['units', 'place', 'escape'].map(name => `vocabulary/${name}.ts`)
      const allowed = kind === 'import type' ? ['dashboard/api.ts'] : [...words, 'faults/text.ts']
      assert.ok(allowed.includes(target!), `page/${file} has ${kind} from src/${target}`)
    }
  }
})

test('one place owns each concern', () => {
  for (const [file, text] of source) {
    for (const [word, owner] of Object.entries(owners)) {
      const allowed = !text.includes(word) || file.startsWith(owner)
      assert.ok(allowed, `${file} has ${word}, which belongs to ${owner}`)
    }
  }
})

test('the changelog has a place for what is not released yet', () => {
  assert.match(readFileSync(`${root}CHANGELOG.md`, 'utf8'), /^## Unreleased$/m)
})
