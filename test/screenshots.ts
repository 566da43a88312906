/** Remakes the pictures of docs/dashboard.md: a minute of a pool of three, faults and benches. */
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { openBrowser } from './browser.ts'
import { dial } from './client.ts'
import { root, yodel } from './program.ts'

const browser = await openBrowser()
if (typeof browser === 'string') throw new Error(browser)

const options = ['--engine', 'node', '--concurrency', '3', '--fault', 'delay=4ms~2ms']
const ports = [27_007, 27_008]
const addresses = ports.map(port => `:${port}`)
await using program = yodel(['serve', ...addresses, ...options, '--dashboard', '127.0.0.1:0'])
const [, link] = await program.says(/dashboard on (\S+)/)

const page = await open(browser, link!, { width: 1280, height: 900 }, 'light')
await bench(page, ports[1]!, '8')
await bench(page, ports[1]!, '3')
await page.locator('#bench input[type=checkbox]').nth(1).check()
await page.locator('#bench input[type=checkbox]').nth(0).check()
await page.getByText('Compare the two').click()

await crowd(ports[0]!)
await page.locator('#console select').selectOption('1')
await page.getByText('every second').click()
await later(62_000)
await page.getByText('every second').click()
await page.mouse.move(0, 0)
await picture(page, 'light', { to: 1860 })
await page.emulateMedia({ colorScheme: 'dark' })
await picture(page, 'dark', { from: '#connections' })
const phone = await open(browser, link!, { width: 390, height: 844 }, 'light')
await later(2000)
await picture(phone, 'phone', { to: 1900 })
await browser.close()

async function open(
  browser: Browser,
  link: string,
  viewport: { width: number; height: number },
  colorScheme: 'light' | 'dark',
): Promise<Page> {
  const page = await browser.newPage({ viewport, colorScheme })
  await page.goto(link)
  await page.waitForSelector('.state.live')
  return page
}

async function bench(page: Page, port: number, connections: string): Promise<void> {
  const form = page.locator('form.bench')
  await form.locator('select').selectOption(`tcp://127.0.0.1:${port}`)
  await form.locator('input[name=connections]').fill(connections)
  await form.locator('input[name=duration]').fill('2s')
  await form.locator('button').click()
  await form.getByText('Running').waitFor()
  await form.getByText('Start').waitFor()
}

/** Clients one after the other, which differ in how much they send and how long they stay. */
async function crowd(port: number): Promise<void> {
  for (let number = 0; number < 30; number++)
    setTimeout(() => void visit(port, number), number * 2_100).unref()
}

async function visit(port: number, number: number): Promise<void> {
  const socket = await dial({ port })
  socket.on('error', () => {}).resume()
  const bytes = 10 ** (1 + ((number * 7) % 9) / 2)
  const pauseMs = [40, 300, 1400][number % 3]!
  const talking = setInterval(() => socket.write(Buffer.alloc(bytes, 'yodel ')), pauseMs)
  // The first answer says that it is served.
  socket.write('hello')
  socket.once('data', () =>
    setTimeout(() => socket.end(), 4_000 + ((number * 5) % 11) * 900).unref(),
  )
  socket.once('close', () => clearInterval(talking))
}

/** The page from its top, or from an element on, to this many pixels or to its end. */
async function picture(
  page: Page,
  name: string,
  { from, to }: { from?: string; to?: number },
): Promise<void> {
  await page.evaluate('scrollTo({ top: 0, behavior: "instant" })')
  // Two looks at the server, so that everything has been drawn in its colours.
  await later(2200)
  const marginPx = 14
  const box = from === undefined ? null : await page.locator(from).boundingBox()
  const y = box ? box.y - marginPx : 0
  const end = to ?? ((await page.evaluate('document.documentElement.scrollHeight')) as number)
  const { width } = page.viewportSize()!
  const clip = { x: 0, y, width, height: end - y }
  await page.screenshot({ path: join(root, `docs/dashboard-${name}.png`), fullPage: true, clip })
}

function later(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
