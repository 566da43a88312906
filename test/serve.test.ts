/** The real program and signals. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dial, echo, read, readAll } from './client.ts'
import { onlyFull } from './full.ts'
import { portOf, yodelServe } from './program.ts'
import { refusal } from './refusal.ts'

for (const engine of ['node', 'uring', 'blocking'] as const) {
  const skip = refusal(engine)

  // engine.suite.ts shows what close() does in each engine; a signal reaches the program alone.
  const notShown = skip || (engine !== 'node' && onlyFull)
  const first = `${engine}: SIGTERM: what was received comes back, then FIN; exit 0`
  test(first, { skip: notShown }, async () => {
    const { program, url } = await yodelServe('--engine', engine)
    await using _ = program
    const port = portOf(url)
    const sockets = await Promise.all(Array.from({ length: 5 }, () => dial({ port })))
    for (const socket of sockets) assert.equal(await echo(socket, 'before'), 'before')
    for (const socket of sockets) socket.write('within')
    program.kill()
    const replies = await Promise.all(
      sockets.map(async socket => {
        const reply = await readAll(socket)
        socket.end()
        return reply.toString()
      }),
    )
    assert.deepEqual(new Set(replies), new Set(['within']))
    assert.equal((await program.finished).code, 0)
  })

  const paused = `${engine}: after a pause of the whole server no client is idle`
  test(paused, { skip: skip || onlyFull }, async () => {
    const { program, url } = await yodelServe('--engine', engine, '--idle-timeout', '400ms')
    await using _ = program
    const socket = await dial({ port: portOf(url) })
    assert.equal(await echo(socket, 'before'), 'before')
    program.kill('SIGSTOP')
    socket.write('meanwhile')
    await new Promise(resolve => setTimeout(resolve, 1000))
    program.kill('SIGCONT')
    assert.equal((await read(socket, 9)).toString(), 'meanwhile')
    socket.destroy()
  })

  test(`${engine}: the second signal leaves at once`, { skip: notShown }, async () => {
    const { program, url } = await yodelServe('--engine', engine, '--drain', '1h')
    await using _ = program
    const socket = await dial({ port: portOf(url) })
    socket.on('error', () => {})
    assert.equal(await echo(socket, 'x'), 'x')
    program.kill('SIGINT')
    await program.says(/stopping; 1 client may finish/)
    program.kill('SIGINT')
    assert.equal((await program.finished).code, 130)
    socket.destroy()
  })
}
