/** Opens the page of a real server in a real browser, and reads its figures. */
import type { Browser, Page } from 'playwright-core'
import { openBrowser } from './browser.ts'
import { yodelServe, type Program } from './program.ts'

export const browser = await openBrowser()
/** Why there is none. */
export const noBrowser = typeof browser === 'string' && browser

/** Complaints of the browser, on all pages. */
export const complaints: { text: string; url: string }[] = []
/** Servers that were stopped: the browser may complain that they do not answer. */
export const gone: string[] = []

/** @param goto how to get there, if something has to be prepared */
export async function openPage(
  link: string,
  options: Parameters<Browser['newPage']>[0] = {},
  goto: (page: Page) => Promise<unknown> = page => page.goto(link),
): Promise<Page> {
  const viewport = { width: 1000, height: 700 }
  const page = await (browser as Browser).newPage({ viewport, ...options })
  // A busy machine takes its time; a test that hangs is ended by the runner.
  page.setDefaultTimeout(100_000)
  page.on('console', message => {
    if (['error', 'warning'].includes(message.type()))
      complaints.push({ text: message.text(), url: message.location().url })
  })
  page.on('pageerror', error => complaints.push({ text: String(error), url: link }))
  await goto(page)
  await page.waitForSelector('.state.live')
  return page
}

export interface Served {
  program: Program
  url: string
  link: string
  page: Page
}

export async function serveWithPage(...args: string[]): Promise<Served> {
  const { program, url } = await yodelServe('--dashboard', '127.0.0.1:0', ...args)
  const [, link] = await program.says(/dashboard on (\S+)/)
  return { program, url, link: link!, page: await openPage(link!) }
}

export async function tile(page: Page, name: string): Promise<number> {
  const text = await page.locator('.tile', { hasText: name }).locator('.value').innerText()
  return Number(text.replaceAll(',', ''))
}

/** The most that a chart of seconds has shown so far. */
export async function mostOf(page: Page, title: string): Promise<number> {
  const label = await page.locator(`.plot[aria-label^="${title}"]`).getAttribute('aria-label')
  return Number(/at most ([\d,]+)/.exec(label!)![1]!.replaceAll(',', ''))
}

/** Milliseconds as the page writes them. */
const toMs = (text: string): number => {
  const [, value, unit] = /^([\d.]+)\s(µs|ms|s)$/.exec(text)!
  return Number(value) * { µs: 1e-3, ms: 1, s: 1e3 }[unit!]!
}

/** Types a message into the console. */
export async function type(page: Page, message: string): Promise<void> {
  await page.getByLabel(/^Message;/).fill(message)
  await page.keyboard.press('Enter')
}

export async function roundTripMs(page: Page, message: string): Promise<number> {
  await type(page, message)
  const line = page.locator('.log li', { hasText: message }).last()
  const time = await line.locator('.time').innerText()
  if ((await line.locator('.reply').innerText()) !== message) throw new Error('other bytes came')
  return toMs(time)
}
