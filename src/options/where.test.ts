import assert from 'node:assert/strict'
import { test } from 'node:test'
import { group, option } from './form.ts'
import { tlsCallingOptions } from './calling.ts'
import { count, whether } from './kinds.ts'
import { datagramOptions, tlsOptions, webOptions } from './serve.ts'
import { askedFor, checkTransport, isForEngine } from './where.ts'

const rows = {
  everywhere: option(count(), { default: 1, flag: 'everywhere' }),
  quiet: option(whether(), {
    default: false,
    flag: 'quiet',
    where: { engines: ['node'], act: 'be quiet', transports: ['tcp'] },
  }),
  inside: group({
    loud: option(whether(), {
      default: undefined,
      flag: 'loud',
      where: {
        engines: 'every',
        transports: ['udp'],
        reason: name => `Nothing is loud on ${name}.`,
      },
    }),
  }),
}
const asked = (options: object) => askedFor(rows, options)

test('an option is asked for if it differs from its default, in a group too', () => {
  assert.deepEqual(asked({ everywhere: 1, quiet: false, inside: {} }), [])
  assert.deepEqual(asked({ everywhere: 2, quiet: undefined }), [rows.everywhere])
  assert.deepEqual(asked({ quiet: true, inside: { loud: true } }), [
    rows.quiet,
    rows.inside.rows.loud,
  ])
})

test('what a transport does not have: a client is told, a server if there is a reason', () => {
  for (const side of ['client', 'server'] as const) {
    checkTransport(asked({ everywhere: 2, quiet: true }), 'tcp', side)
    const loud = () => checkTransport(asked({ inside: { loud: true } }), 'tcp', side)
    assert.throws(loud, /Nothing is loud on tcp\./)
  }
  const quiet = asked({ quiet: true })
  assert.throws(() => checkTransport(quiet, 'udp', 'client'), /--quiet does nothing on udp\./)
  checkTransport(quiet, 'udp', 'server')
})

test('an engine that is not named does not have the option', () => {
  assert.ok(isForEngine(rows.quiet, 'node') && isForEngine(rows.everywhere, 'uring'))
  assert.ok(!isForEngine(rows.quiet, 'uring'))
})

test('an engine that learns a transport refuses what protects there, until it has it', () => {
  const rows = [
    webOptions.origins,
    webOptions.messageMaxBytes,
    tlsOptions.clientCa,
    datagramOptions.ratePerSource,
    tlsCallingOptions.pin,
  ]
  for (const row of rows) assert.ok(!isForEngine(row, 'blocking'), row.flag)
})
