/** HTTP clients for tests: those of Node, and a socket for what they would never send. */
import { once } from 'node:events'
import http, {
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
} from 'node:http'
import type { ClientHttp2Session } from 'node:http2'
import { connect } from 'node:net'
import type { Server } from 'yodel'

export const origin = ({ url }: Server): string => url

export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
}

/** Each part is a write of its own. */
export async function post1(
  server: Server,
  method: string,
  headers: OutgoingHttpHeaders,
  parts: Uint8Array[],
): Promise<Answer> {
  const request = http.request(origin(server), { method, headers })
  const answered = once(request, 'response')
  for (const part of parts) request.write(part)
  request.end()
  const [response] = (await answered) as [IncomingMessage]
  const body = Buffer.concat((await response.toArray()) as Buffer[])
  return { status: response.statusCode!, headers: response.headers, body }
}

export async function post2(
  session: ClientHttp2Session,
  method: string,
  headers: OutgoingHttpHeaders,
  parts: Uint8Array[],
): Promise<Answer> {
  const stream = session.request({ ':method': method, ...headers }, { endStream: false })
  const answered = once(stream, 'response')
  for (const part of parts) stream.write(part)
  stream.end()
  const [answer] = (await answered) as [IncomingHttpHeaders & { ':status': number }]
  const body = Buffer.concat((await stream.toArray()) as Buffer[])
  return { status: answer[':status'], headers: answer, body }
}

/** What comes for these bytes until the server hangs up; each part once something has come. */
export async function rawly({ address }: Server, ...parts: (string | Buffer)[]): Promise<string> {
  const socket = connect(address as { host: string; port: number })
  // What was refused is not always read to its end.
  socket.on('error', () => {})
  let text = ''
  socket.on('data', (data: Buffer) => (text += data.toString('latin1')))
  socket.write(parts.shift()!)
  for (const part of parts) {
    await once(socket, 'data')
    socket.write(part)
  }
  await once(socket, 'close')
  return text
}
