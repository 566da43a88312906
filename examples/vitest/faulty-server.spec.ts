/**
 * How the author of a client tests it against a server that misbehaves, with vitest.
 *
 *     npm run build && npx vitest run --root examples/vitest
 */
import { connect } from 'node:net'
import { serve, type Server } from 'yodel'
import { afterEach, beforeEach, expect, test } from 'vitest'

/** The client under test: sends a message, resolves with the answer; asks again when cut off. */
async function ask(port: number, message: string, { attempts = 3, timeoutMs = 1000 } = {}) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await askOnce(port, message, timeoutMs)
    } catch (error) {
      if (attempt === attempts || (error as Error).message === 'timed out') throw error
    }
  }
}

function askOnce(port: number, message: string, timeoutMs: number): Promise<string> {
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

let server: Server
let port: number

beforeEach(async () => {
  // It behaves well until a test says otherwise. A server of its own: tests cannot disturb others.
  server = await serve('tcp://127.0.0.1:0', { faults: [] })
  port = Number(server.url.split(':').at(-1))
})
afterEach(() => server.close('now'))

test('my client survives a reset in the middle of a message', async () => {
  await server.setFaults([{ kind: 'reset', afterBytes: 5 }])
  await expect(ask(port, 'hello, world', { attempts: 1 })).rejects.toThrow()
  const answer = ask(port, 'hello, world', { attempts: 100 })
  await server.setFaults([])
  expect(await answer).toBe('hello, world')
  expect(server.snapshot().faultsInjected).toBeGreaterThan(0)
})

test('my client times out on a hang', async () => {
  await server.setFaults([{ kind: 'hang' }])
  await expect(ask(port, 'is anybody there?', { timeoutMs: 50 })).rejects.toThrow('timed out')
})
