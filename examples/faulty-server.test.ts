/**
 * How the author of a client tests it against a server that misbehaves, with node:test. The client
 * here asks again when its connection breaks, and gives up when nothing comes for a while.
 *
 *     npm run build && node --test build/examples/faulty-server.test.js
 */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { serve } from 'yodel'

/** The client under test: sends a message, and resolves with an answer of the same length. */
function ask(port: number, message: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(port, '127.0.0.1')
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error('timed out')))
    socket.on('error', reject).on('close', () => reject(new Error('cut off')))
    socket.on('data', (data: Buffer) => {
      answer += data.toString()
      if (answer.length < message.length) return
      socket.end()
      resolve(answer)
    })
    socket.write(message)
  })
}

async function askStubbornly(port: number, message: string, attempts = 5): Promise<string> {
  try {
    return await ask(port, message, 1000)
  } catch (error) {
    if (attempts === 1) throw error
    return askStubbornly(port, message, attempts - 1)
  }
}

/** The port of a server on tcp. */
const portOf = (server: Awaited<ReturnType<typeof serve>>) => Number(server.url.split(':').at(-1))

test('my client survives a reset in the middle of a message', async () => {
  // The first connection is reset after five bytes, and then the server has recovered.
  await using server = await serve('tcp://127.0.0.1:0', {
    faults: [{ kind: 'reset', afterBytes: 5 }],
  })
  await assert.rejects(ask(portOf(server), 'hello, world', 1000))
  const answer = askStubbornly(portOf(server), 'hello, world')
  await server.setFaults([])
  assert.equal(await answer, 'hello, world')
})

test('my client survives a server that resets every second connection', async () => {
  // The same seed hits the same connections, in every run.
  await using server = await serve('tcp://127.0.0.1:0', {
    faults: [{ kind: 'reset', afterBytes: 5, percent: 50 }],
    seed: 7,
  })
  for (let n = 0; n < 5; n++)
    assert.equal(await askStubbornly(portOf(server), 'hi there'), 'hi there')
  assert.ok(server.snapshot().faultsInjected > 0)
})

test('my client times out on a hang', async () => {
  await using server = await serve('tcp://127.0.0.1:0', { faults: [{ kind: 'hang' }] })
  await assert.rejects(ask(portOf(server), 'is anybody there?', 50), /timed out/)
})
