/** One of several agents is too slow: the result names it, and is not valid. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { agent, serve, type RunResult } from 'yodel'
import { leave } from './fleet.ts'
import { onlyFull } from './full.ts'
import { yodel } from './program.ts'

test('an agent that is too slow for its share is named', { skip: onlyFull }, async () => {
  await using server = await serve('tcp://127.0.0.1:0', { engine: 'node' })
  const flags = ['--connections', '4', '--rate', '400', '--duration', '4s', '--warmup', '0']
  const fleetFlags = ['--agents', '2', '--broker-listen', 'mqtt://127.0.0.1:0']
  const patient = ['--drain', '60s', '--timeout', '60s', '--agent-timeout', '60s']
  await using leader = yodel(
    ['bench', server.url, '--engine', 'node', '--ndjson'].concat(flags, fleetFlags, patient),
  )
  const [, url] = await leader.says(/yodel agent (mqtt:\S+)/)
  const quick = agent(url, { name: 'quick' })
  await using slow = yodel(['agent', url!, '--name', 'slow'])
  await leader.says(/"event":"interval"/)
  // Of each 80 ms it has 20.
  const hold = setInterval(() => {
    slow.kill('SIGSTOP')
    setTimeout(() => slow.kill('SIGCONT'), 60)
  }, 80)
  const { code, stdout } = await leader.finished.finally(() => clearInterval(hold))
  await leave({ agents: [quick] })
  const result = JSON.parse(stdout.toString().trim().split('\n').at(-1)!) as RunResult
  assert.equal(code, 4)
  const row = result.run.parts!.find(part => part.agent!.name === 'slow')!
  assert.equal(row.valid, false)
  const [number] = row.slice
  const named = new RegExp(`^Agent ${number} of 2 \\(slow\\) is not valid by itself`)
  assert.ok(
    result.invalidBecause.some(reason => named.test(reason)),
    result.invalidBecause.join(),
  )
  const { planned, received, lost } = result.messages
  assert.deepEqual([planned, received, lost], [1_600, 1_600, 0])
})
