/** Whether server and generator share a core, as Linux tells it. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createServer, type AddressInfo } from 'node:net'
import { availableParallelism } from 'node:os'
import { test } from 'node:test'
import { parseAddress } from '../vocabulary/address.ts'
import { sharedCore } from './shared-core.ts'

/** Listens, and prints the core that it shares with itself, and with one that has stopped. */
const script = `
  import { createServer } from 'node:net'
  const { sharedCore } = await import(process.argv[1])
  const server = createServer().listen(0, '127.0.0.1', () => {
    const at = { transport: 'tcp', host: '127.0.0.1', port: server.address().port }
    console.log(sharedCore(at) ?? 'none')
    server.close(() => console.log(sharedCore(at) ?? 'none'))
  })`

const skip = process.platform !== 'linux' && 'only Linux tells where a process may run'

test('of a server on the only core of the generator it is known', { skip }, context => {
  const { stdout: list, error } = spawnSync('taskset', ['-c', '-p', String(process.pid)])
  if (error) return context.skip('taskset is not installed')
  const core = /: (\d+)/.exec(list.toString())![1]!
  const module = new URL('./shared-core.js', import.meta.url).href
  const program = [process.execPath, '--input-type=module', '-e', script, module]
  const { stdout, stderr } = spawnSync('taskset', ['-c', core, ...program])
  // With one core, server and generator always share it.
  const alone = availableParallelism() === 1 ? core : 'none'
  assert.equal(stdout.toString(), `${core}\n${alone}\n`, stderr.toString())
})

test('where there are several, nothing is said', { skip }, async context => {
  if (availableParallelism() === 1) return context.skip('this machine has one core')
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  assert.equal(sharedCore(parseAddress(`tcp://127.0.0.1:${port}`)), undefined)
  server.close()
})
