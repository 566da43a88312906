/** The suite, on the blocking engine, in which each client takes its time to get a thread. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serve } from 'yodel'
import { engineSuite } from './engine.suite.ts'
import { short } from './full.ts'
import { refusal } from './refusal.ts'

engineSuite('blocking', short(10, 3))

test(
  'an option of another transport is no reason against an engine',
  { skip: refusal('blocking') },
  async () => {
    const others = { maxRatePerSecond: 5, web: { origins: ['https://a.example'] } }
    await using server = await serve(':0', { engine: 'blocking', ...others })
    assert.equal(server.engine, 'blocking')
  },
)
