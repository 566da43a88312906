/** Remakes the pictures of docs/tour.md: the timeline of each of its servers after a crowd. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { openBrowser } from './browser.ts'
import { portOf, Program, root, yodelServe } from './program.ts'

const browser = await openBrowser()
if (typeof browser === 'string') throw new Error(browser)

const text = readFileSync(join(root, 'docs/tour.md'), 'utf8')
const steps = [...text.matchAll(/^npx yodel serve (.*)$/gm)].map(([, words]) => words!.split(' '))
for (const [index, args] of steps.entries()) {
  const words = args.map(word => (word === '--dashboard' ? '--dashboard=127.0.0.1:0' : word))
  const { program, url } = await yodelServe(...words)
  await using _ = program
  const [, link] = await program.says(/dashboard on (\S+)/)
  const page = await browser.newPage({ viewport: { width: 900, height: 900 } })
  // Only the crowd is to be seen, not the probe of the page.
  await page.routeWebSocket('**/api/console*', () => {})
  await page.goto(link!)
  await page.waitForSelector('.state.live')
  await page.getByText('20 s', { exact: true }).click()
  await using crowd = new Program(
    process.execPath,
    [`${root}build/examples/crowd.js`, `${portOf(url)}`],
    'ignore',
  )
  await crowd.finished
  await page.getByText('0 served, 0 waiting').waitFor()
  await page.mouse.move(0, 0)
  const path = join(root, `docs/tour-${index + 1}.png`)
  await page.locator('#timeline').screenshot({ path })
  await page.close()
}
await browser.close()
