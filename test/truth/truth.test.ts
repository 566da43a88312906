/**
 * What bench says, against a witness, which sees the wire: `npm run truth`. Every day some of it,
 * slow enough for a machine that has other things to do: there one run of several has to agree.
 * QUIET_SHARE is the share of all processors that others may take in a run that counts (0.1).
 */
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type * as Background from '../../src/threads/background.ts'
import { campaign, onlyFull, short } from '../full.ts'
import { root } from '../program.ts'
import { loadRefusal } from '../refusal.ts'
import {
  differences,
  disagreements,
  isNear,
  medianDifferences,
  type Difference,
} from './agreement.ts'
import { cannotCompile } from './known-c.ts'
import { quietShare } from './noise.ts'
import { control, run, type Seen, type Trial } from './trial.ts'
import { all, daily } from './trials.ts'
import { cannotCapture } from './witness.ts'

const quietRuns = 5
const attemptsMax = 15
const dailyAttempts = short(6, 3)
/** So many of the quiet runs may say that they are not valid. */
const invalidShare = 0.05

let quiet = 0
const invalid: string[] = []

describe('every day', () => {
  for (const [n, trial] of daily.entries())
    test(trial.name, { skip: n !== 1 && onlyFull }, context => agreesOnce(trial, context))
})

describe('the whole', { skip: !campaign && 'only in a campaign: npm run truth' }, () => {
  for (const trial of all) test(trial.name, context => agrees(trial, context))

  test(`at most ${invalidShare * 100} % of the quiet runs call themselves INVALID`, context => {
    context.diagnostic(`${invalid.length} of ${quiet} quiet runs, before ${witness}`)
    assert.ok(invalid.length <= invalidShare * quiet, invalid.join('\n'))
  })
})

const witness = cannotCapture ? `the server's log: ${cannotCapture}` : 'the wire'

async function reasonToSkip({ engine, where }: Trial): Promise<string | false> {
  return (where === 'C' && cannotCompile()) || loadRefusal(engine) || false
}

/** One run agrees with the witness in everything; what does not depend on time, each of them. */
async function agreesOnce(trial: Trial, context: TestContext) {
  const reason = await reasonToSkip(trial)
  if (reason) return context.skip(reason)
  let doubts: string[] | undefined
  let least = Infinity
  for (let attempt = 0; attempt < dailyAttempts; attempt++) {
    const seen = await run(trial)
    if (!seen) continue
    const found = [
      ...disagreements(seen, trial),
      ...differences(seen, trial).filter(isFar).map(said),
    ]
    if (found.length === 0) return undefined
    least = Math.min(least, seen.others ?? 0)
    if (isQuiet(seen)) doubts = found
  }
  if (!doubts) return context.skip(`no run was quiet: others took ${least.toFixed(2)} processors`)
  assert.fail(
    `in none of ${dailyAttempts} runs before ${witness}; the last one: ${doubts.join('; ')}`,
  )
}

const isQuiet = ({ others }: Seen) => (others ?? 0) <= quietShare
const isFar = (difference: Difference) => !isNear(difference)
const said = ({ what, toldUs, seenUs }: Difference): string =>
  `${what}: ${toldUs.toFixed(1)} us told, ${seenUs.toFixed(1)} us seen`

/**
 * Quiet runs agree in counts and rates each, and in times in their median. What a client in C is
 * off in the same minute is the machine's own: only what yodel adds to that is held against it.
 */
async function agrees(trial: Trial, context: TestContext) {
  const reason = (await reasonToSkip(trial)) || cannotCompile()
  if (reason) return context.skip(reason)
  const times: Difference[][] = []
  const controls: Difference[][] = []
  const doubts: string[] = []
  let noisiest = 0
  for (let attempt = 0; attempt < attemptsMax && times.length < quietRuns; attempt++) {
    const seen = await run(trial)
    const controlSeen = await control(trial)
    if (!seen || !controlSeen) continue
    noisiest = Math.max(noisiest, seen.others ?? 0)
    if (!isQuiet(seen)) continue
    quiet++
    if (!seen.told.valid) invalid.push(trial.name)
    doubts.push(...disagreements(seen, trial))
    times.push(differences(seen, trial))
    controls.push(differences(controlSeen, trial))
  }
  assert.deepEqual(doubts, [])
  if (times.length < quietRuns)
    return context.skip(`${times.length} quiet runs: others took ${noisiest.toFixed(2)} processors`)
  const ofControl = new Map(medianDifferences(controls).map(each => [each.what, addedUs(each)]))
  const medians = medianDifferences(times)
  const shown = medians.map(each => {
    const control = ofControl.get(each.what)?.toFixed(0) ?? '?'
    return `${each.what} ${each.seenUs.toFixed(0)}: ${addedUs(each).toFixed(0)} (C: ${control})`
  })
  context.diagnostic(`us on the wire, and what is told besides: ${shown.join(', ')}`)
  const far = medians.filter(each => !isNear(each, ofControl.get(each.what)))
  assert.deepEqual(far.map(said), [])
  return undefined
}

const addedUs = ({ toldUs, seenUs }: Difference) => toldUs - seenUs

if (campaign) {
  // As bench does on the command line; here it is called as a library.
  const background = (await import(`${root}dist/threads/background.js`)) as typeof Background
  background.lowerBackgroundThreads()
  console.log(`The witness is ${witness}.`)
}
