/** What runs inside the browser, and what stands in for a server with very many clients. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page, Route } from 'playwright-core'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

interface Violation {
  id: string
  impact: string
  nodes: { target: string[]; failureSummary: string }[]
}

/** What axe-core calls serious or critical, as sentences. */
export async function seriousFaults(page: Page): Promise<string[]> {
  await page.evaluate(axe)
  const found = (await page.evaluate("axe.run({ resultTypes: ['violations'] })")) as {
    violations: Violation[]
  }
  return found.violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')}: ${failureSummary}`),
    )
}

/** Answers as a server with this many connections; the first one's peer is what is given. */
export const stubRows =
  (total: number, firstPeer: string) =>
  async (route: Route): Promise<void> => {
    const { searchParams } = new URL(route.request().url())
    const offset = Number(searchParams.get('offset') ?? 0)
    const limit = Number(searchParams.get('limit'))
    const rows = Array.from({ length: Math.min(limit, total - offset) }, (_, place) => {
      const index = offset + place
      const peer = index === 0 ? firstPeer : `192.0.2.1:${10_000 + index}`
      const about = { listener: 0, transport: 'tcp', engine: 'node', realPeer: null }
      const moved = { bytesIn: index, bytesOut: index, unsentBytes: 0, idleMs: 0 }
      return { id: `stub${index}`, peer, ...about, openedAt: 0, ...moved, waiting: false }
    })
    await route.fulfill({ json: { total, matched: total, rows } })
  }

/** Whether the two colours of lanes are on the canvas of the timeline. */
export const coloursSeen = `(() => {
  const canvas = document.querySelector('.lanes canvas')
  // A copy that is made to be read: the browser complains of reading from the other.
  const copy = new OffscreenCanvas(canvas.width, canvas.height)
  const context = copy.getContext('2d', { willReadFrequently: true })
  context.drawImage(canvas, 0, 0)
  const { data } = context.getImageData(0, 0, copy.width, copy.height)
  const style = getComputedStyle(document.documentElement)
  const seen = name => {
    const hex = style.getPropertyValue('--' + name).trim()
    const wanted = [1, 3, 5].map(at => parseInt(hex.slice(at, at + 2), 16))
    // A bar of a silent client is transparent, which rounds its colour.
    for (let at = 0; at < data.length; at += 4)
      if (data[at + 3] > 30 && wanted.every((value, n) => Math.abs(data[at + n] - value) < 8))
        return true
    return false
  }
  return { served: seen('served'), waiting: seen('waiting') }
})()`

/** Before the page: counts from here on what moves by itself, as share of the screen. */
export const watchShifts = `
  self.shifted = 0
  new PerformanceObserver(list => {
    for (const { value, hadRecentInput } of list.getEntries()) if (!hadRecentInput) shifted += value
  }).observe({ type: 'layout-shift' })
`

export interface Frames {
  medianMs: number
  /** While nothing is done. */
  restMs: number
  /** Rows of the table that exist. */
  rows: number
}

/** Scrolls through the whole table, a step in each frame: an expression for the browser. */
export const scroll = `(async () => {
  const table = document.querySelector('.table')
  const steps = 20
  const frame = () => new Promise(resolve => requestAnimationFrame(resolve))
  const medianOf = async act => {
    const times = []
    let before = await frame()
    for (let step = 1; step <= steps; step++) {
      act(step)
      const now = await frame()
      times.push(now - before)
      before = now
    }
    return times.sort((a, b) => a - b)[steps / 2]
  }
  const restMs = await medianOf(() => {})
  const medianMs = await medianOf(step => {
    table.scrollTop = (table.scrollHeight * step) / steps
  })
  return { medianMs, restMs, rows: table.querySelectorAll('tbody tr').length }
})()`
