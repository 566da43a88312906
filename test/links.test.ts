/** No link of the documents is dead, neither in a clone nor in the package. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { test } from 'node:test'
import { anchorsIn, deadLinks, linksIn } from './links.ts'
import { root } from './program.ts'

const { files } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { files: string[] }

const pagesIn = (folder: string) =>
  readdirSync(root + folder, { encoding: 'utf8' })
    .filter(name => name.endsWith('.md'))
    .map(name => folder + name)
const pages = ['', 'docs/', 'deploy/', 'benchmarks/', 'benchmarks/results/'].flatMap(pagesIn)

const textOf = (path: string) =>
  existsSync(root + path)
    ? statSync(root + path).isFile()
      ? readFileSync(root + path, 'utf8')
      : ''
    : undefined

test('no link of a document is dead, and no anchor', () => {
  assert.ok(pages.length > 40)
  for (const page of pages) assert.deepEqual(deadLinks(page, textOf), [], page)
})

/** npm takes these whatever package.json says. */
const always = ['README.md', 'LICENSE', 'package.json']
const isPacked = (path: string) =>
  [...always, ...files].some(entry => path === entry || path.startsWith(`${entry}/`))

test('the documents of the package link to what is in the package', () => {
  const packed = pages.filter(isPacked)
  assert.ok(packed.includes('README.md') && packed.includes('docs/serve.md'))
  const inPackage = (path: string) => (isPacked(path) ? textOf(path) : undefined)
  for (const page of packed) assert.deepEqual(deadLinks(page, inPackage), [], page)
})

test('every page of docs/ is in its table of contents', () => {
  const listed = linksIn(textOf('docs/README.md')!).map(link => `docs/${link.split('#')[0]}`)
  assert.deepEqual(
    pagesIn('docs/').filter(page => page !== 'docs/README.md' && !listed.includes(page)),
    [],
  )
})

test('dead links are found, and others are not', () => {
  const texts: Record<string, string> = {
    'a.md': `# A, \`b\` & [c](b.md)\n[x](b.md) [y](b.md#two-words) ![z](p/q.png)
      [over two
      lines](#a-b--c) [twice](b.md#two-words-1) [web](https://e.invalid/x) [named]\n
[named]: p\n\`[code](nowhere)\`\n\`\`\`\n[fence](nowhere)\n# no heading\n\`\`\`\n`,
    'b.md': '## Two words\n## Two words\n',
    p: '',
    'p/q.png': '',
    'p/r.md': '[up](../a.md#no-heading) [a](nowhere.md) [b](../b.md#two-words-2)\n[c]: nowhere\n',
  }
  const made = (path: string) => texts[path]
  assert.deepEqual([...anchorsIn(texts['a.md']!)], ['a-b--c'])
  assert.deepEqual(deadLinks('a.md', made), [])
  assert.deepEqual(deadLinks('p/r.md', made), linksIn(texts['p/r.md']!))
  assert.equal(linksIn(texts['p/r.md']!).length, 4)
})
