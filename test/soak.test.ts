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

  for (const transport of ['tls', 'ws', 'http', 'https']) {
    // The same misuses, without the time: see misuse.test.ts.
    const skip = onlyFull
    test(`of clients that misuse ${transport}`, { skip }, async () => {
      const { code, said } = await soak(
        'none',
        `--transport=${transport}`,
        `--seconds=${short(4, 0.5)}`,
      )
      assert.equal(code, 0, said)
      assert.match(said, /sound: [1-9]\d* messages verified, [1-9]\d* misuses/)
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
