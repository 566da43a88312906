/** The page of the dashboard in a real browser, against the real server. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { flood, serve } from 'yodel'
import { onlyFull } from './full.ts'
import { dial, ending, until } from './client.ts'
import {
  coloursSeen,
  scroll,
  seriousFaults,
  stubRows,
  watchShifts,
  type Frames,
} from './page-checks.ts'
import { apart, largeUses, uses } from './page-use.suite.ts'
import { portOf } from './program.ts'
import {
  browser,
  complaints,
  gone,
  mostOf,
  noBrowser,
  openPage,
  roundTripMs,
  serveWithPage,
  tile,
  type Served,
} from './page-open.ts'

const skip = noBrowser
const rare = { skip: onlyFull }

let served: Served
before(async () => {
  if (!skip) served = await serveWithPage('--engine', 'node', '--fault', 'slow-accept=0ms')
})
after(async () => {
  if (skip) return
  await served.program[Symbol.asyncDispose]()
  await (browser as Browser).close()
})

/** Each on a page of its own, as most of the time goes by in waiting for the next second. */
suite('the page in a browser', { skip, concurrency: true }, () => {
  test('the figures move while a flood runs, and a reload keeps their history', figuresMove)
  test('a click on kill cuts off that client, and the filter those it matches', rare, killCutsOff)
  test(
    'a delay that is added makes round trips so much longer, and none does not',
    rare,
    delayIsFelt,
  )
  test('axe finds nothing serious, light, dark and on a phone', rare, isAccessible)
  test('10,000 rows scroll smoothly, and what peers say is text', rare, rowsScroll)
  const talks = 'any page may talk to a WebSocket server: text, bytes, empty, and the code'
  test(talks, rare, anyPageTalks)
  test('every preset is taken, of datagrams too', rare, presetsSuit)
  test('with --concurrency 1 one is served and others wait, in two colours', rare, othersWait)
  for (const [name, use] of Object.entries(apart)) test(name, rare, () => use(served))
  suite('used for one thing after the other', { concurrency: false }, () => {
    let page: Page
    before(async () => {
      page = await openPage(served.link, { viewport: { width: 1280, height: 900 } })
    })
    for (const [name, use] of Object.entries(uses)) test(name, () => use(page, served))
    for (const [name, use] of Object.entries(largeUses)) test(name, rare, () => use(page, served))
  })
})

test('the browser has nothing to complain about', { skip }, () => {
  // The refusal of a fault is an answer with status 400, which Chromium writes down.
  const isExpected = ({ text, url }: (typeof complaints)[number]) =>
    text.includes('400 (Bad Request)') || gone.some(link => url.startsWith(link))
  const others = complaints.filter(complaint => !isExpected(complaint))
  assert.deepEqual(others, [])
})

async function figuresMove() {
  const { page, url } = served
  const load = flood(url, { connections: 2, ratePerSecond: 500 })
  // The page's own probe has one in a second.
  await until(async () => (await tile(page, 'Echoes')) > 10)
  const before = await tile(page, 'Echoes')
  await page.evaluate(watchShifts)
  await until(async () => ![0, 1, before].includes(await tile(page, 'Echoes')))
  assert.equal(await page.evaluate('shifted'), 0, 'things move when figures change')
  load.stop()
  await load.finished
  const most = await mostOf(page, 'Echoes per second')
  assert.ok(most >= before)
  await page.reload()
  await page.waitForSelector('.state.live')
  await page.getByText('15 min', { exact: true }).click()
  assert.ok((await mostOf(page, 'Echoes per second')) >= most)
}

async function killCutsOff() {
  const { url, link } = served
  const page = await openPage(link)
  const port = portOf(url)
  const [client, other] = [await dial({ port }), await dial({ port })]
  const [ended, otherEnded] = [ending(client), ending(other)]
  const row = page.locator('tr', { hasText: `:${client.localPort}` })
  const dialog = page.locator('dialog')
  await row.getByRole('button').click()
  await dialog.getByRole('button', { name: 'Cancel' }).click()
  assert.equal(client.destroyed, false)
  await row.getByRole('button').click()
  await dialog.getByRole('button', { name: 'Kill it' }).click()
  await ended
  await page.locator('.table:focus').waitFor()
  assert.equal(other.destroyed, false)
  await page.getByLabel('Filter').fill(`:${other.localPort}`)
  await page.getByText('1 of').waitFor()
  await page.getByRole('button', { name: 'Kill all that match' }).click()
  await dialog.getByRole('button', { name: 'Kill 1 connection' }).click()
  await otherEnded
  await page.getByLabel('Filter').fill('')
}

async function delayIsFelt() {
  const page = await openPage(served.link)
  const delayMs = 250
  // A busy machine may take as long for once, but not again and again.
  await until(async () => (await roundTripMs(page, 'before')) < delayMs)
  await page.locator('.add input[name=value]').fill(`${delayMs}ms`)
  await page.locator('.add button').click()
  await page.getByText(`--fault delay=${delayMs}ms`).waitFor()
  assert.ok((await roundTripMs(page, 'delayed')) >= delayMs)
  await page.getByRole('button', { name: 'No faults' }).click()
  await page.getByText('No faults in force').waitFor()
  await until(async () => (await roundTripMs(page, 'after')) < delayMs)
  await page.getByLabel(/^Message;/).press('ArrowUp')
  assert.equal(await page.getByLabel(/^Message;/).inputValue(), 'after')
  // A fault that makes no sense is refused in words.
  await page.locator('.add input[name=value]').fill('soon')
  await page.locator('.add button').click()
  await page.locator('#faults .problem', { hasText: 'soon' }).waitFor()
}

async function presetsSuit() {
  const { program, page } = await serveWithPage('--engine', 'node', 'udp://127.0.0.1:0')
  await using _ = program
  for (const [name, fault] of [
    ['Bad Wi-Fi', 'reorder=5%'],
    ['Dying server', 'hang:20%'],
    ['Slow disk', 'delay=80ms~60ms'],
  ] as const) {
    await page.getByRole('button', { name }).click()
    await page.getByText(`--fault ${fault}`).waitFor()
  }
  await page.close()
}

async function isAccessible() {
  const page = await openPage(served.link)
  assert.deepEqual(await seriousFaults(page), [])
  await page.emulateMedia({ colorScheme: 'dark' })
  await page.setViewportSize({ width: 390, height: 844 })
  assert.deepEqual(await seriousFaults(page), [])
  await page.setViewportSize({ width: 320, height: 844 })
  const wide = 'document.documentElement.scrollWidth - document.documentElement.clientWidth'
  assert.equal(await page.evaluate(wide), 0, 'the page is wider than a phone')
}

async function rowsScroll() {
  const page = await openPage(served.link)
  const peer = '<img src=x onerror=alert(1)>'
  await page.route('**/api/connections?*', stubRows(10_000, peer))
  await page.getByText('10,000 connections').waitFor()
  await page.getByText(peer).waitFor()
  assert.equal(await page.locator('img').count(), 0)
  // The Tab key need not pass 10,000 rows; and rows beyond the screen are reached, too.
  const kill = page.locator('tbody .kill button')
  assert.equal(await page.locator('tbody .kill button[tabindex="0"]').count(), 1)
  await kill.first().focus()
  for (let row = 1; row <= 30; row++) {
    await page.keyboard.press('ArrowDown')
    await page.locator(`[aria-label$="192.0.2.1:${10_000 + row}"]:focus`).waitFor()
  }
  const { medianMs, restMs, rows } = (await page.evaluate(scroll)) as Frames
  // On a busy machine frames are late by themselves.
  const most = Math.max(100, 4 * restMs)
  assert.ok(medianMs < most, `a frame takes ${medianMs} ms, and at rest ${restMs} ms`)
  assert.ok(rows < 100, `${rows} rows exist`)
  await page.locator('.table').getByText('192.0.2.1:19999').waitFor()
  await page.close()
}

/** In the page: what comes back for each message, and the code of the end. */
const talk = async (url: string) => {
  const socket = new WebSocket(url)
  socket.binaryType = 'arraybuffer'
  const came: string[] = []
  const code = new Promise<number>(resolve => {
    socket.addEventListener('open', () => {
      for (const message of ['grüß', '', Uint8Array.of(0, 255)]) socket.send(message)
    })
    socket.addEventListener('message', event => {
      const data = event.data as string | ArrayBuffer
      came.push(typeof data === 'string' ? `text ${data}` : `bytes ${new Uint8Array(data).join()}`)
      if (came.length === 3) socket.close(4001, 'enough')
    })
    socket.addEventListener('close', event => resolve(event.code))
  })
  return { code: await code, came }
}

async function anyPageTalks() {
  await using server = await serve('ws://127.0.0.1:0/any/path')
  const page = await (browser as Browser).newPage()
  const { code, came } = await page.evaluate(talk, server.url)
  assert.deepEqual(came, ['text grüß', 'text ', 'bytes 0,255'])
  assert.equal(code, 4001)
  await page.close()
}

async function othersWait() {
  const { program, url, link, page } = await serveWithPage('--engine', 'node', '--concurrency', '1')
  await using _ = program
  const port = portOf(url)
  const clients = [await dial({ port }), await dial({ port }), await dial({ port })]
  for (const client of clients) client.on('error', () => {}).resume()
  const names = clients.map(({ localPort }) => `127.0.0.1:${localPort}`)
  await page.getByText('1 served, 2 waiting').waitFor()
  await page.locator('.lanes').focus()
  await page.keyboard.press('ArrowDown')
  await page.getByText(`${names[0]}: is being served`).waitFor()
  await page.keyboard.press('ArrowDown')
  const readout = await page.getByText(': has waited').innerText()
  assert.ok(names.slice(1).includes(readout.split(': ')[0]!), readout)
  // A lane that has just begun is too short to be seen.
  await until(async () => {
    const seen = await page.evaluate<Record<'served' | 'waiting', boolean>>(coloursSeen)
    return seen.served && seen.waiting
  })
  // The page shows that the server drains, and then that it is gone.
  gone.push(link)
  await page.getByRole('button', { name: 'Drain and stop' }).click()
  await page.getByRole('button', { name: 'Stop it' }).click()
  await page.locator('.state', { hasText: 'draining' }).waitFor()
  for (const client of clients) client.destroy()
  await program.finished
  await page.locator('.state', { hasText: 'disconnected' }).waitFor()
}
