/** The server's side of HTTP/1, byte by byte: answers as well or as oddly as a test wants. */
import type { Socket } from 'node:net'
import { listen, type BadServer } from './server.ts'

export interface Exchange {
  socket: Socket
  /** Which connection, and which request on it; both from 0. */
  connection: number
  request: number
  body: Buffer
}

/** Calls for each request, once its body is whole. */
export async function listenHttp(
  onRequest: (exchange: Exchange) => void,
  onClient: (socket: Socket, connection: number) => void = () => {},
): Promise<BadServer & { connections: () => number }> {
  let connections = 0
  const server = await listen(socket => {
    const connection = connections++
    let request = 0
    let bytes = Buffer.alloc(0)
    onClient(socket, connection)
    socket.on('data', data => {
      bytes = Buffer.concat([bytes, data])
      for (;;) {
        const end = bytes.indexOf('\r\n\r\n')
        if (end === -1) return
        const length = Number(/content-length: (\d+)/i.exec(bytes.toString('latin1', 0, end))![1])
        if (bytes.length < end + 4 + length) return
        const body = bytes.subarray(end + 4, end + 4 + length)
        bytes = bytes.subarray(end + 4 + length)
        onRequest({ socket, connection, request: request++, body })
      }
    })
  })
  return {
    ...server,
    url: server.url.replace('tcp', 'http'),
    connections: () => connections,
  }
}

/** An echo, whose head may have more lines. */
export function answer({ socket, body }: Exchange, ...lines: string[]): void {
  const head = ['HTTP/1.1 200 OK', `Content-Length: ${body.length}`, ...lines]
  socket.write(`${head.join('\r\n')}\r\n\r\n`)
  socket.write(body)
}
