/** What the page shows and does, one thing in each test; page.test.ts runs them. */
import assert from 'node:assert/strict'
import type { Page } from 'playwright-core'
import { flood } from 'yodel'
import type * as Api from '../src/dashboard/api.ts'
import { dial, echo, until } from './client.ts'
import { gone, openPage, serveWithPage, tile, type, type Served } from './page-open.ts'
import { portOf } from './program.ts'

type Use = (page: Page, served: Served) => Promise<void>

/** One after the other on one page: most of the time goes by in waiting for the next second. */
export const uses: Record<string, Use> = {
  'charts are wide, and Bench stands above what may be empty': layoutIsReadable,
  'what was typed is shown as it is, however it would like to look': textIsEscaped,
  'the page names its probe, which echoes once a second': probeIsNamed,
  'connections have a rate, and the highest can come first': ratesAreSorted,
}

/** The same, but it takes more. */
export const largeUses: Record<string, Use> = {
  'two runs are compared in the order of time, and drawn; each has a report': runsAreCompared,
}

/** Each on a page of its own. */
export const apart: Record<string, (served: Served) => Promise<void>> = {
  'a client that waits is told its place, and what cannot be killed is not counted': placesAreTold,
  'charts and timeline show the same range of time': rangeIsOne,
}

const texts = (page: Page, selector: string) => page.locator(selector).allInnerTexts()

/** In the page: what has stood in a cell of the runs from here on. */
const rememberCells = `
  self.cells = new Set()
  new MutationObserver(() => {
    for (const cell of document.querySelectorAll('.runs td')) cells.add(cell.textContent)
  }).observe(document.querySelector('#bench'), { subtree: true, childList: true })
`

/** The first of two listeners serves one client, so all that follow wait in order. */
async function placesAreTold() {
  const addresses = ['tcp://127.0.0.1:0', 'tcp://127.0.0.1:0']
  const limited = ['--engine', 'node', '--concurrency', '1', '--fault', 'slow-accept=0ms']
  const { program, url, link, page } = await serveWithPage(...limited, ...addresses)
  await using _ = program
  gone.push(link)
  const port = portOf(url)
  const clients = [await dial({ port }), await dial({ port }), await dial({ port })]
  for (const client of clients) client.on('error', () => {}).resume()
  await page.getByText('1 served, 2 waiting').waitFor()
  await type(page, 'hello')
  await page.locator('.log').getByText('waiting, 3rd of 3').waitFor()
  await page.locator('#connections').getByText('4 connections', { exact: true }).waitFor()
  await page.getByRole('button', { name: 'Kill all' }).click()
  await page.getByRole('button', { name: 'Kill 1 connection', exact: true }).waitFor()
  await page.getByText('3 clients still wait').waitFor()
  await page.getByRole('button', { name: 'Cancel' }).click()
  // A bench gives up after ten seconds, and a busy machine may look away for as long.
  await page.evaluate(rememberCells)
  await startBench(page, '5m')
  await until(() => page.evaluate<boolean>("cells.has('waiting, 4th of 4')"))
  // The client that is served leaves, and so do those that waited before the page.
  for (const client of clients) client.destroy()
  await page.locator('.log li', { hasText: 'hello' }).locator('.time').waitFor()
  await filtersListeners(page)
  await blamesTheRightOne(page)
  // The server is gone: there is nothing that could be changed.
  program.kill('SIGKILL')
  await page.locator('.state', { hasText: 'disconnected' }).waitFor()
  for (const name of ['Kill all', 'Reset to startup', 'Drain and stop'])
    assert.ok(await page.getByRole('button', { name, exact: true }).isDisabled(), name)
  const others = ['.kill', '.editor', '.bench', '.prompt'].map(place => `${place} button:enabled`)
  assert.equal(await page.locator(others.join()).count(), 0)
  await page.close()
}

async function filtersListeners(page: Page) {
  // Clients that had given up are served for a moment.
  await until(async () => (await tile(page, 'Open')) === 1)
  await page.locator('.listeners input').nth(2).check()
  await page
    .locator('#connections')
    .getByText(/^0 of \d+ connections? match/)
    .waitFor()
  assert.equal(await tile(page, 'Open'), 0)
  assert.equal((await texts(page, '#faults .listener')).length, 1)
  await page.locator('.listeners input').nth(0).check()
}

async function blamesTheRightOne(page: Page) {
  const listeners = page.locator('#faults .listener')
  const last = listeners.nth(1)
  await last.locator('.add input[name=value]').fill('soon')
  await last.locator('.add button').click()
  await last.locator('.problem', { hasText: 'soon' }).waitFor()
  assert.equal(await listeners.nth(0).locator('.problem').innerText(), '')
}

async function startBench(page: Page, duration: string) {
  await page.locator('.bench input[name=connections]').fill('1')
  await page.locator('.bench input[name=rate]').fill('100')
  await page.locator('.bench input[name=duration]').fill(duration)
  await page.getByRole('button', { name: 'Start', exact: true }).click()
}

async function probeIsNamed(page: Page) {
  const value = page.locator('.tile', { hasText: 'Round trip of the probe' }).locator('.value')
  await value.getByText(/^[\d.]+\s(µs|ms|s)$/).waitFor()
  const row = page.locator('tbody tr', { has: page.getByText('probe', { exact: true }) })
  await row.first().waitFor()
  await page.locator('.tile.probe input').uncheck()
  await value.getByText('–').waitFor()
  await row.waitFor({ state: 'detached' })
}

async function ratesAreSorted(page: Page, { url }: Served) {
  const silent = await dial({ port: portOf(url) })
  await echo(silent, 'once')
  const load = flood(url, { connections: 1, ratePerSecond: 200, message: 'x'.repeat(1000) })
  await page.getByRole('button', { name: 'Rate', exact: true }).click()
  const rate = page.locator('#connections tbody tr').first().locator('.rate')
  await rate.getByText(/kB\/s/).waitFor()
  // The cells of a row stand side by side.
  const cells = page.locator('#connections tbody tr').first().locator('td')
  const tops = await cells.evaluateAll(all => all.map(cell => cell.getBoundingClientRect().top))
  assert.ok(tops.length > 5 && new Set(tops).size === 1, tops.join())
  load.stop()
  await load.finished
  silent.destroy()
}

/** 200 seconds of figures, and a client that left two minutes ago. */
async function rangeIsOne({ link }: Served) {
  const now = Date.now()
  const figures = { open: 0, waiting: 0, opened: 0, closed: 0, echoes: 0 }
  const rest = { bytesIn: 0, bytesOut: 0, errors: 1, faultsInjected: 0 }
  const seconds = Array.from({ length: 200 }, (_, index): Api.Second => {
    const at = now - (200 - index) * 1000
    return { at, ...figures, ...rest, listeners: [{ ...figures, ...rest }] }
  })
  const times = { waitingFrom: null, servedFrom: now - 150_000, until: now - 120_000 }
  const lane: Api.Lane = { id: 'x', listener: 0, peer: '192.0.2.1:1', ...times, activity: [] }
  const page = await openPage(link, {}, async page => {
    await page.route('**/api/history', route => route.fulfill({ json: seconds }))
    await page.route('**/api/timeline', route => route.fulfill({ json: [lane] }))
    await page.goto(link)
  })
  const label = () => page.locator('.plot[aria-label^="Clients"]').getAttribute('aria-label')
  const secondsShown = async () => Number.parseInt(/, (\d+) second/.exec((await label())!)![1]!)
  assert.ok((await secondsShown()) <= 60)
  // The oldest lane.
  const first = async () => {
    await page.locator('.lanes').press('PageUp')
    return page.locator('.readout').innerText()
  }
  assert.doesNotMatch(await first(), /192\.0\.2\.1/)
  await page.getByText('5 min', { exact: true }).click()
  await until(async () => (await first()).startsWith(lane.peer))
  assert.ok((await secondsShown()) > 100)
  await page.locator('.tile.bad', { hasText: 'in 5 min' }).waitFor()
  await page.close()
}

async function runsAreCompared(page: Page) {
  const before = await page.getByRole('link', { name: 'Report' }).count()
  for (const count of [1, 2]) {
    await page.getByRole('button', { name: 'Start', exact: true, disabled: false }).waitFor()
    await startBench(page, '300ms')
    await until(async () => {
      const reports = await page.getByRole('link', { name: 'Report' }).count()
      return reports === before + count
    })
  }
  const boxes = page.locator('.runs input[type=checkbox]')
  // The newest run is the first row; it is chosen first.
  await boxes.nth(0).check()
  await boxes.nth(1).check()
  const roles = (await texts(page, '.runs .check')).map(text => text.trim())
  assert.deepEqual(roles.slice(0, 2), ['after', 'before'])
  await page.getByRole('button', { name: 'Compare the two' }).click()
  await page.locator('.comparison canvas').waitFor()
  const heads = await texts(page, '.compared tbody th')
  assert.ok(heads.includes('p50') && heads.includes('rate'), heads.join())
  assert.ok((await page.locator('.compared .change').count()) > 0)
  const opened = page.waitForEvent('popup')
  await page.getByRole('link', { name: 'Report' }).first().click()
  const report = await opened
  // It begins as an empty page. On a busy machine the generator may be the limit.
  await report.waitForFunction('document.title')
  assert.match(await report.title(), /^yodel bench tcp:.*: (?:pass|invalid)$/i)
  await report.close()
}

async function layoutIsReadable(page: Page) {
  assert.ok((await page.locator('.charts .plot').first().boundingBox())!.width >= 500)
  // All at the same instant: what is above may grow.
  const ids = ['bench', 'timeline', 'connections', 'console', 'faults']
  const tops = `${JSON.stringify(ids)}.map(id => document.getElementById(id).offsetTop)`
  const [bench, ...others] = (await page.evaluate(tops)) as number[]
  assert.ok(
    others.every(top => bench! < top),
    `Bench begins at ${bench} px, others at ${others.join()}`,
  )
  const words = await page.locator('main').innerText()
  for (const riddle of ['As it was started', 'The same again', 'Trouble per second', 'closed loop'])
    assert.ok(!words.includes(riddle), riddle)
  // No line ends behind the dash of an option, and a phone shows all of it.
  const { width, height } = page.viewportSize()!
  await page.setViewportSize({ width: 400, height })
  const flags = page.locator('.command .whole', { hasText: '--fault' })
  const heights = await flags.evaluateAll(all =>
    all.map(each => each.getBoundingClientRect().height),
  )
  assert.ok(heights.length > 0 && heights.every(pixels => pixels < 30), heights.join())
  assert.equal(await page.evaluate('document.documentElement.scrollWidth'), 400)
  await page.setViewportSize({ width, height })
}

async function textIsEscaped(page: Page) {
  await type(page, 'a\u202Eb')
  const line = page.locator('.log li').last()
  await line.locator('.time').waitFor()
  for (const place of ['.sent', '.reply'])
    assert.equal(await line.locator(place).innerText(), String.raw`a\u{202e}b`)
}
