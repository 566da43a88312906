/** What is written down of faults, and faults that change by a script. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parseFault, serve, type FaultRecord } from 'yodel'
import { dial, echo, ending, pattern, read, readAll, until } from './client.ts'
import { onlyFull } from './full.ts'
import { yodelServe } from './program.ts'

const together = { concurrency: true }

/** What a server has logged for a client that does the same each time, without the times. */
async function log(faults: string, seed: number): Promise<FaultRecord[]> {
  const records: FaultRecord[] = []
  const server = await serve(':0', {
    faults: faults.split(' ').map(parseFault),
    seed,
    onFaults: (batch, lost) => {
      assert.equal(lost, 0)
      records.push(...batch)
    },
  })
  for (let connection = 0; connection < 12; connection++) {
    const socket = await dial(server.address)
    const end = ending(socket)
    socket.end(pattern(5000, connection))
    await end
  }
  await server.close()
  assert.equal(records.length, server.snapshot().faultsInjected)
  const times = records.map(({ timeMs }) => timeMs)
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  )
  assert.ok(times.every(time => Math.abs(time - Date.now()) < 60_000))
  return records.map(record => ({ ...record, timeMs: 0 }))
}

describe('the log of faults', together, () => {
  test('is the same for the same seed, and another one for another seed', async () => {
    const faults = 'corrupt=1%:50% delay=1ms~1ms reset=3000:30%'
    const [one, again, other] = await Promise.all([log(faults, 1), log(faults, 1), log(faults, 2)])
    assert.deepEqual(one, again)
    assert.notDeepEqual(one, other)
    const first = one.find(({ kind }) => kind === 'corrupt')!
    const fields = ['timeMs', 'thread', 'connection', 'kind', 'place', 'offset', 'bit']
    assert.deepEqual(Object.keys(first), fields)
    assert.deepEqual(new Set(one.map(({ kind }) => kind)), new Set(['corrupt', 'delay', 'reset']))
    for (const { kind, offset } of one) if (kind === 'reset') assert.equal(offset, 3000)
  })

  test('says which bits were flipped', async () => {
    const records: FaultRecord[] = []
    const faults = [parseFault('corrupt=1%')]
    const server = await serve(':0', { faults, onFaults: batch => records.push(...batch) })
    const socket = await dial(server.address)
    const sent = pattern(20_000, 1)
    socket.end(sent)
    const received = await readAll(socket)
    await server.close()
    for (const { offset, bit } of records) received[offset!]! ^= 1 << bit!
    assert.ok(records.length > 100 && received.equals(sent))
  })

  test('is bounded: what there is no room for is counted', { skip: onlyFull }, async () => {
    let [written, lost] = [0, 0]
    const server = await serve(':0', {
      faults: [parseFault('corrupt=100%')],
      onFaults(records, more) {
        written += records.length
        lost += more
      },
    })
    const socket = await dial(server.address)
    socket.end(pattern(200_000, 1))
    await readAll(socket)
    await server.close()
    assert.equal(written + lost, 200_000)
    assert.ok(written >= 65_536, `${written} of them`)
  })
})

describe('a script of faults', together, () => {
  test('comes into force step by step, also for open connections', async () => {
    const heard: { kind: string | undefined; atMs: number }[] = []
    await using server = await serve(':0', {
      faults: [],
      faultScript: [
        { atMs: 0, faults: [{ kind: 'delay', ms: 0 }], forMs: 150 },
        { atMs: 300, faults: [{ kind: 'hang' }], forMs: 150, everyMs: 400 },
      ],
      onFaultStep: (step, atMs) => heard.push({ kind: step?.faults[0]!.kind, atMs }),
    })
    // What is due at the start is in force for the first client.
    assert.deepEqual(heard, [{ kind: 'delay', atMs: 0 }])
    const socket = await dial(server.address)
    assert.equal(await echo(socket, 'hello'), 'hello')
    await until(() => heard.at(-1)!.kind === 'hang')
    socket.write('still there?')
    // Answered once the hang is over.
    assert.equal((await read(socket, 12)).toString(), 'still there?')
    await until(() => heard.filter(({ kind }) => kind === 'hang').length === 2)
    // A busy machine is late for a step, or even misses one; but nothing comes too early.
    assert.ok(heard.find(({ kind }) => kind === 'hang')!.atMs >= 300)
    assert.ok(heard.at(-1)!.atMs >= 700)
    for (const [n, { kind }] of heard.entries()) assert.notEqual(kind, heard[n - 1]?.kind ?? '')
    socket.destroy()
  })

  test('is checked as a whole before anything starts', async () => {
    const faultScript = [{ atMs: 3600e3, faults: [parseFault('reorder=1%')] }]
    await assert.rejects(serve(':0', { faultScript }), /^UserError: Step 1 .* reorder is for/)
  })

  test('is read from a file by the program, which writes down what was done', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'yodel-'))
    const [script, logFile] = [join(folder, 'script.json'), join(folder, 'faults.ndjson')]
    writeFileSync(script, JSON.stringify([{ at: '0s', faults: [], for: '1ms' }]))
    const faults = ['--fault', 'truncate=3', '--fault-script', script]
    const args = ['--engine', 'node', ...faults, '--fault-log', logFile]
    const { program, url } = await yodelServe(...args)
    await using _ = program
    await program.says(/as at the start/)
    const socket = await dial({ port: Number(url.split(':').at(-1)) })
    socket.write('hello')
    assert.equal((await readAll(socket)).toString(), 'hel')
    socket.destroy()
    program.kill()
    const { stderr } = await program.finished
    assert.match(stderr, /^yodel: after 0s: no faults\nyodel: after .*: as at the start$/m)
    const { timeMs, ...record } = JSON.parse(readFileSync(logFile, 'utf8')) as FaultRecord
    assert.ok(timeMs > 0)
    const place = { thread: 0, connection: 0, kind: 'truncate', place: 0 }
    assert.deepEqual(record, { ...place, offset: 3 })
  })
})
