/** A script of faults: what is in force when, and what is said about nonsense. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress } from '../vocabulary/address.ts'
import { UserError } from '../vocabulary/errors.ts'
import { faultsText } from './parse.ts'
import { checkScript, nextChangeMs, parseFaultScript, stepAt } from './script.ts'

const script = parseFaultScript(
  JSON.stringify([
    { at: '10s', faults: ['hang'], for: '5s' },
    { at: '12s', faults: ['refuse', 'delay=1ms'], for: '1s', every: '10s' },
    { at: '50s', faults: [] },
  ]),
)

test('of several steps that are in force the one that began last counts', () => {
  const at = (seconds: number) => {
    const step = stepAt(script, seconds * 1e3)
    return step && faultsText(step.faults)
  }
  const expected: [number, string | undefined][] = [
    [0, undefined],
    [9.999, undefined],
    [10, 'hang'],
    [11.999, 'hang'],
    [12, 'refuse delay=1ms'],
    [13, 'hang'],
    [15, undefined],
    [22.5, 'refuse delay=1ms'],
    [23, undefined],
    [50, 'no faults'],
    [52, 'refuse delay=1ms'],
    [53, 'no faults'],
  ]
  for (const [seconds, text] of expected) assert.equal(at(seconds), text, `${seconds} s`)
})

test('between two changes nothing changes', () => {
  const changes: number[] = []
  for (let now = 0; changes.length < 14;) changes.push((now = nextChangeMs(script, now)))
  assert.deepEqual(
    changes.map(ms => ms / 1e3),
    [10, 12, 13, 15, 22, 23, 32, 33, 42, 43, 50, 52, 53, 62],
  )
  assert.equal(nextChangeMs([{ atMs: 5, faults: [] }], 5), Infinity)
  assert.equal(nextChangeMs([{ atMs: 5, faults: [], forMs: 10 }], 5), 15)
})

test('nonsense is refused in one line that names the step', () => {
  const refusal = (text: string) => {
    try {
      checkScript(parseFaultScript(text), parseAddress('tcp://127.0.0.1:0'))
    } catch (error) {
      assert.ok(error instanceof UserError, String(error))
      assert.ok(!error.message.includes('\n'))
      return error.message
    }
    return 'none'
  }
  for (const [text, message] of [
    ['', /^The fault script is not JSON: /],
    ['{}', /^A fault script is a list of steps/],
    ['[]', /^A fault script is a list of steps/],
    ['[5]', /^Step 1 of the fault script: It is not an object/],
    ['[{"at":"1s"}]', /^Step 1 of the fault script: It needs 'at' and 'faults'/],
    ['[{"at":1,"faults":[]}]', /: 1 is not a duration/],
    ['[{"at":"1s","faults":"hang"}]', /'faults' is not a list/],
    ['[{"at":"1s","faults":[],"until":"2s"}]', /'until' is unknown/],
    ['[{"at":"1s","faults":[]},{"at":"1s","faults":["melt"]}]', /^Step 2 .* 'melt' is not a fault/],
    ['[{"at":"1s","faults":["drop=1%"]}]', /^Step 1 .* drop is for messages/],
    ['[{"at":"1s","faults":[],"every":"2s"}]', /^Step 1 of the fault script repeats, and so needs/],
    ['[{"at":"1s","faults":[],"for":"2s","every":"2s"}]', /repeats before it is over/],
    ['[{"at":"1s","faults":[],"for":"1ms","every":"2ms"}]', /repeats too often/],
    ['[{"at":"1s","faults":[],"for":"0ms"}]', /must last more than 0 ms/],
  ] as const)
    assert.match(refusal(text), message, text)
})
