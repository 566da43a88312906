/** The soak in its short form: each engine is sound, and a server that is not is found out. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { onlyFull, short } from './full.ts'
import { Program, root } from './program.ts'

const soak = async (fault: string, ...args: string[]) => {
  const path = `${root}build/benchmarks/soak.js`
  const command = [process.execPath, path, `--clients=${short(16, 6)}`, ...args]
  await using program = new Program('env', [`FAULT=${fault}`, ...command], 'ignore')
  const { code, stdout, stderr } = await program.finished
  return { code, said: stdout.toString() + stderr }
}

const skip = process.platform !== 'linux' && 'the soak looks into /proc'

describe('a short soak', { skip, concurrency: true }, () => {
  for (const engine of ['uring', 'node', 'blocking']) {
    // engine.suite.ts shows for each engine what the soak repeats.
    test(`of the ${engine} engine`, { skip: onlyFull }, async t => {
      const { code, said } = await soak(
        'none',
        `--engine=${engine}`,
        `--seconds=${short(0.5, 0.1)}`,
      )
      const [, refusal] = /refuses: (.*)/.exec(said) ?? []
      if (refusal !== undefined) return t.skip(refusal)
      assert.equal(code, 0, said)
      assert.match(said, /sound: \d{2,} connections, [1-9]/)
    })
  }

  test('what is no length of time is refused: nothing would be sound', async () => {
    const { code, said } = await soak('none', '--minutes=x')
    assert.deepEqual([code, said.trim().split('\n').length], [2, 1], said)
  })

  /** The engines that speak each of them; tcp is above. */
  const engines: Record<string, readonly string[]> = {
    unix: ['uring', 'node', 'blocking'],
    udp: ['uring', 'node'],
    tls: ['uring', 'node'],
    ws: ['uring', 'node'],
    wss: ['uring', 'node'],
    http: ['node'],
    h2c: ['node'],
    https: ['node'],
  }
  for (const [transport, names] of Object.entries(engines)) {
    // For the others misuse.test.ts plays the same misuses, without the time.
    const skip = transport !== 'udp' && onlyFull
    test(`over ${transport}, on each engine that speaks it`, { skip }, async () => {
      const { code, said } = await soak(
        'none',
        `--transport=${transport}`,
        `--seconds=${short(4, 0.1)}`,
      )
      assert.equal(code, 0, said)
      for (const name of names)
        assert.match(said, new RegExp(`${transport}, ${name}(?:: sound: [1-9]| refuses: )`))
      assert.equal(said.match(/: sound: | refuses: /g)?.length, names.length, said)
    })
  }

  test('finds a server that does not speak the transport', { skip: onlyFull }, async () => {
    const bad = `--server=${root}build/test/soak-bad-server.js`
    const { code, said } = await soak('none', bad, '--transport=ws', '--seconds=2')
    assert.equal(code, 1, said)
    assert.match(said, /VIOLATION: a client in good order/)
  })

  const faults: Record<string, RegExp> = {
    'wrong byte': /VIOLATION: client \d+ .*byte \d+ is wrong/,
    // See Peer.finish().
    'reset instead of FIN': /VIOLATION: client \d+ .*(?:ECONNRESET|FIN came before the last byte)/,
    'FIN too early': /VIOLATION: client \d+ .*FIN came before/,
    'leaks descriptors': /VIOLATION: \d+ descriptors; there were/,
  }
  for (const [fault, found] of Object.entries(faults)) {
    const skip = fault !== 'wrong byte' && onlyFull
    test(`finds the fault: ${fault}`, { skip }, async () => {
      const bad = `--server=${root}build/test/soak-bad-server.js`
      // It ends as soon as one is found; what is left behind is looked for when all have gone.
      const seconds = fault === 'leaks descriptors' ? 0.1 : 60
      const { code, said } = await soak(fault, '--engine=node', bad, `--seconds=${seconds}`)
      assert.equal(code, 1, said)
      assert.match(said, found)
      assert.match(said, /to reproduce: npm run soak -- .*--seed=1/)
    })
  }
})
