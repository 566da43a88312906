import assert from 'node:assert/strict'
import { release } from 'node:os'
import { test } from 'node:test'
import { loadLibc } from './libc.ts'
import { askForShortTimeSlices, timeSliceOf } from './time-slice.ts'

const [major = 0, minor = 0] = release().split('.').map(Number)
const isNew = process.platform === 'linux' && (major > 6 || (major === 6 && minor >= 12))
const refusal = isNew ? loadLibc() : 'slices are part of Linux 6.12'
const skip = typeof refusal === 'string' && refusal

test('a thread gets the slices that it asks for, and keeps the rest', { skip }, () => {
  const before = timeSliceOf()
  assert.ok(askForShortTimeSlices())
  const after = timeSliceOf()
  assert.equal(after?.sliceNs, 100_000n)
  assert.equal(after.niceness, before?.niceness)
})
