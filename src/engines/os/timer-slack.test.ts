import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadLibc, type Libc } from './libc.ts'
import { askForExactTimers } from './timer-slack.ts'

const PR_GET_TIMERSLACK = 30
const refusal = process.platform === 'linux' ? loadLibc() : 'timers have slack on Linux'
const skip = typeof refusal === 'string' && refusal

test('the timers of a thread are exact once it has asked for that', { skip }, () => {
  const slackNs = () => (refusal as Libc).prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0)
  assert.ok(askForExactTimers())
  assert.equal(slackNs(), 1)
})
