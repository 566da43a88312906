/** What a result must say of a generator that was stopped for a while. */
import assert from 'node:assert/strict'
import type { RunResult } from 'yodel'
import type * as Libc from '../src/engines/os/libc.ts'
import { root } from './program.ts'

const { libcOf64Bits } = (await import(`${root}dist/engines/os/libc.js`)) as typeof Libc

export interface Ended {
  code: number | null
  result: RunResult
  stderr: string
}

type OwnFigure = NonNullable<RunResult['generator']['own']>[number]

export interface Stop {
  engine: 'node' | 'uring'
  scheme: 'tcp' | 'tls' | 'http'
  loop: 'closed' | 'open'
  stopMs: number
}

/** HTTP/1.1 has one message in flight. */
export const depthOf = (scheme: string) => (scheme === 'http' ? 1 : 4)
export const openRate = 500
export const closedConnections = 4
/** What is expected of each response: all that were in flight at the stop miss it. */
export const limitMs = ({ stopMs }: Stop) => stopMs * 0.7

/** Judged by what was in flight at the stop, never by how fast the server is on this machine. */
export function assertOwn({ code, result, stderr }: Ended, stoppedMs: number, stop: Stop): void {
  const { generator, responseUs, expectations, failedBecause, invalidBecause } = result
  const { longest } = generator.stalls!
  const most = Math.max(...longest.map(([, ms]) => ms))
  assert.ok(most >= stoppedMs * 0.99, `${most} of ${stoppedMs} ms: ${JSON.stringify(longest)}`)
  const said = `${stderr}${invalidBecause.join(' ')}`
  const own = new Map(generator.own!.map(one => [one.figure, one]))
  if (stop.loop === 'closed') assertRateIsOwn(result, own.get('rate'), said)
  if (!keepsTimes(stop)) assertDelayed(result, stoppedMs, stop)
  const figures = figuresOf(result)
  for (const one of figures) {
    const isOwn = one.measured - one.bound > 0.1 * one.measured
    assert.deepEqual(own.get(one.figure), isOwn ? one : undefined, JSON.stringify(figures))
  }
  const [expectation] = expectations
  // A message that was about to leave as it was stopped has waited, whatever the kernel says.
  assert.equal(expectation!.held, keepsTimes(stop) && responseUs.max! < limitMs(stop) * 1e3)
  // On a busy machine the server itself may be as slow as that, and then it is told so; unless the
  // generator had no processor either.
  const isServers = figures.at(-1)!.bound >= limitMs(stop) * 1e3
  const { ownFault = false, measuredText, held } = expectation!
  const isUnknown = isServers && measuredText.includes('while the generator was the limit')
  assert.equal(ownFault, !held && (!isServers || isUnknown), measuredText)
  if (isServers) return
  assert.deepEqual(failedBecause, [])
  // It was ended by Ctrl-C, when all was seen.
  assert.deepEqual([code, result.valid], [130, false], said)
}

/** Whether the kernel says when replies came, although the loop is closed. */
const keepsTimes = ({ engine, loop }: Stop): boolean =>
  loop === 'closed' && engine === 'node' && libcOf64Bits() !== undefined

/** Nothing was sent during the stop. */
function assertRateIsOwn(result: RunResult, rate: OwnFigure | undefined, said: string): void {
  assert.ok(rate && rate.measured < rate.bound, JSON.stringify(result.generator.own))
  assert.equal(rate.measured, result.rates.achievedPerSecond)
  assert.match(said, /rate.* generator's own: it was held up/)
}

/** The messages that were in flight came back too late by the stop. */
function assertDelayed(result: RunResult, stoppedMs: number, stop: Stop): void {
  assert.ok(result.responseUs.max! >= stoppedMs * 990)
  const { measured, less } = result.generator.touched!.responseUs!
  const lessUs = sum(timesOf(measured)) - sum(timesOf(less))
  assert.ok(lessUs >= stoppedMs * 900, `${lessUs} ${JSON.stringify({ measured, less, stoppedMs })}`)
  assertTouched(result, stop)
}

/** No message but those that were in flight, became due, or had to wait behind these. */
function assertTouched({ generator, messages }: RunResult, { scheme, loop }: Stop): void {
  const touched = timesOf(generator.touched!.responseUs!.measured).length
  const { count, totalMs } = generator.stalls!
  // Another stall may have begun before the window.
  const inFlight = (count + 1) * (loop === 'open' ? 2 * depthOf(scheme) : closedConnections)
  const due = loop === 'open' ? Math.ceil((openRate * totalMs) / 1e3) + messages.deferred : 0
  assert.ok(touched > 0 && touched <= inFlight + due, JSON.stringify({ touched, inFlight, due }))
}

/** What is measured, and what it is without the stall: from the messages one by one. */
function figuresOf({ generator, histograms, responseUs }: RunResult): OwnFigure[] {
  const { measured = [], less = [] } = generator.touched?.responseUs ?? {}
  const without = timesOf(histograms.responseUs)
  for (const us of timesOf(measured)) {
    const at = without.indexOf(us)
    assert.notEqual(at, -1, `${us} us is no response`)
    without.splice(at, 1)
  }
  without.push(...timesOf(less))
  without.sort((a, b) => a - b)
  return Object.entries({ p50: 0.5, p90: 0.9, max: 1 }).map(([figure, share]) => {
    const bound = without[Math.ceil(share * without.length) - 1]!
    return { figure, measured: responseUs[figure as 'p50' | 'p90' | 'max']!, bound }
  })
}

export const timesOf = (buckets: readonly (readonly [number, number])[]): number[] =>
  buckets.flatMap(([us, count]) => Array.from({ length: count }, () => us))

export const sum = (all: readonly number[]): number => all.reduce((total, each) => total + each, 0)
