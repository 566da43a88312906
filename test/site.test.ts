/** The site of `npm run site`: built, without dead links, and as a browser shows it. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { openBrowser } from './browser.ts'
import { onlyFull } from './full.ts'
import { output } from './node-versions.ts'
import { Program, root } from './program.ts'

interface Check {
  deadLinksIn: (folder: string) => { pages: number; dead: string[] }
}

const folder = mkdtempSync(join(tmpdir(), 'yodel-site-'))
after(() => rmSync(folder, { recursive: true }))
const builds = onlyFull

test('the site is built, and its dead links are found', { skip: builds }, async () => {
  output('npm', ['ci', '--prefix', `${root}site`, '--no-audit', '--no-fund', '--loglevel=error'])
  const build = new Program(process.execPath, [`${root}site/build.js`, folder], 'ignore')
  const { code, stdout, stderr } = await build.finished
  assert.deepEqual([code, stderr], [0, ''])
  assert.match(stdout.toString(), /\d+ pages in .*; no link is dead/)
  const { deadLinksIn } = (await import(pathToFileURL(`${root}site/check.js`).href)) as Check
  rmSync(join(folder, 'udp.html'))
  const { dead } = deadLinksIn(folder)
  assert.ok(dead.includes('index.html: udp.html'), dead.join('\n'))
})

test('a browser shows every section, and finds a word', { skip: builds }, async t => {
  const browser = await openBrowser()
  if (typeof browser === 'string') return t.skip(browser)
  const page = await browser.newPage()
  await page.goto(pathToFileURL(join(folder, 'serve.html')).href)
  await page.locator('h1', { hasText: 'yodel serve' }).waitFor()
  const contents = page.locator('#tsd-nav-container')
  for (const name of ['Learn from it', 'yodel bench', 'Library'])
    await contents.getByText(name, { exact: true }).first().waitFor()
  await page.locator('#tsd-search-trigger').click()
  await page.locator('#tsd-search-input').fill('amplifier')
  await page.locator('#tsd-search-results a[href*="security.html"]').first().waitFor()
  await browser.close()
})
