/** What leads connections elsewhere, and notes whose they are: a relay, and an HTTP proxy. */
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { connect as dialTcp, createServer, type AddressInfo, type Socket } from 'node:net'

/** Passes streams on, and notes from which addresses they come. */
export async function relayTo(port: number) {
  const from: string[] = []
  const open = new Set<Socket>()
  const relay = createServer({ allowHalfOpen: true }, socket => {
    from.push(socket.remoteAddress!)
    const beyond = dialTcp({ port, host: '127.0.0.1', allowHalfOpen: true })
    for (const end of [socket, beyond]) {
      open.add(end)
      end.on('error', () => {})
    }
    socket.pipe(beyond).pipe(socket)
  })
  relay.listen(0, '127.0.0.1')
  await once(relay, 'listening')
  return {
    from,
    port: (relay.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const end of open) end.destroy()
      await new Promise(resolve => relay.close(resolve))
    },
  }
}

/** A proxy of node:http; `answer` may refuse. */
export async function proxy(
  answer: (authorization: string | undefined) => string | undefined = () => '',
) {
  const asked: string[] = []
  const open = new Set<Socket>()
  const server = createHttpServer()
  server.on('connect', ({ url, headers }, socket: Socket) => {
    asked.push(url!)
    const refusal = answer(headers['proxy-authorization'])
    socket.on('error', () => {})
    open.add(socket)
    if (refusal) {
      socket.end(`HTTP/1.1 ${refusal}\r\nContent-Length: 0\r\n\r\n`)
      return
    }
    const [host, port] = url!.split(':') as [string, string]
    const beyond = dialTcp({ host, port: Number(port), allowHalfOpen: true })
    open.add(beyond)
    beyond.on('error', () => socket.destroy())
    // The head of the answer, and the first bytes of the server in one piece.
    beyond.once('connect', () => {
      socket.write('HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n')
      socket.pipe(beyond).pipe(socket)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    asked,
    port,
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
}
