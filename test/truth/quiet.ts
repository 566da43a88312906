/**
 * How often a quiet run is called INVALID, or has a figure marked as the generator's own:
 *
 *     npm run truth:quiet -- [runs] [flags of bench]
 *
 * Each run is a program of its own, against one server that is another; the machine must be idle.
 */
import type { RunResult } from 'yodel'
import { yodel, yodelServe } from '../program.ts'

const allowedShare = 0.05
const [runsText = '40', ...flags] = process.argv.slice(2)
const runs = Number(runsText)
const { program, url } = await yodelServe()
await using _ = program
let invalid = 0
let marked = 0
for (let run = 1; run <= runs; run++) {
  await using bench = yodel(['bench', url, '--duration', '2s', '--json', ...flags])
  const { stdout, stderr } = await bench.finished
  if (stdout.length === 0) throw new Error(stderr)
  const { generator, rates, valid, invalidBecause } = JSON.parse(stdout.toString()) as RunResult
  const own = generator.own ?? []
  if (!valid) invalid++
  if (own.length > 0) marked++
  const longest = Math.max(0, ...(generator.stalls?.longest ?? []).map(([, ms]) => ms))
  const figures = own.map(({ figure, measured, bound }) => `${figure} ${measured} (${bound})`)
  console.log(
    `${String(run).padStart(3)}  ${valid ? 'valid  ' : 'INVALID'}  ` +
      `${Math.round(rates.achievedPerSecond ?? 0)}/s  busy ${percent(generator.cpuShare)}  ` +
      `queued ${percent(generator.queuedShare)}  ${generator.stalls?.count} stalls, ` +
      `longest ${longest.toFixed(1)} ms  ${figures.join(', ')}${invalidBecause.join(' ')}`,
  )
}
console.log(`${invalid} of ${runs} INVALID, ${marked} with a figure marked.`)
if (invalid > allowedShare * runs) process.exitCode = 1

function percent(share: number | null | undefined): string {
  return typeof share === 'number' ? `${(share * 100).toFixed(1)} %` : 'n/a'
}
