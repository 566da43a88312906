/** Accounts cost nothing when no program asks for them any more. */
import assert from 'node:assert/strict'
import { createHook } from 'node:async_hooks'
import { test } from 'node:test'
import { threadAccounts } from './accounts.ts'

test('accounts that are not kept any more leave no timer', () => {
  const accounts = threadAccounts()
  let timers = 0
  const hook = createHook({ init: (_, type) => void (type === 'Timeout' && timers++) }).enable()
  accounts.keep(60_000)
  assert.equal(timers, 1)
  // As when its time is over.
  accounts.keep(0)
  hook.disable()
  assert.deepEqual([accounts.isKeeping, timers], [false, 1])
})
