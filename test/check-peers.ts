/** Peers over TLS, HTTP, WebSocket and udp that do something wrong, and what a check says. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { once } from 'node:events'
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import { WebSocketServer, type ServerOptions, type WebSocket } from 'ws'
import { check, type CheckOptions, type CheckResult } from 'yodel'
import { createCertificate } from './certificates.ts'
import { peer } from './peers/datagrams.ts'

/** What is asked, what has to be found, and how. */
export type Case = [only: string, findings: string, ask: () => Promise<CheckResult>]

/** Whatever closes, in the order in which it was opened. */
export const open: AsyncDisposable[] = []
export async function asked(
  url: string,
  only: string,
  more: CheckOptions = {},
): Promise<CheckResult> {
  const options = { maxConnections: 4, only: [only as 'bytes'], ...more }
  return await check(url, options).finished
}

export async function overHttp(
  only: string,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  options: object = {},
  set: object = {},
  more: CheckOptions = {},
): Promise<CheckResult> {
  const server = Object.assign(createServer(options, answer), set)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  open.push({
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
    },
  })
  return asked(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, only, more)
}

/** HTTP/1.1 that echoes, and HTTP/2 by prior knowledge that does as it is told, at one port. */
export async function overHttp2(
  only: string,
  answer: (request: Http2ServerRequest, response: Http2ServerResponse, all: Set<Socket>) => void,
): Promise<CheckResult> {
  const sockets = new Set<Socket>()
  const first = createServer(echoBody)
  const second = createHttp2Server((request, response) => answer(request, response, sockets))
  const server = createTcpServer(socket => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket)).on('error', () => {})
    socket.once('readable', () => {
      const head = (socket.read() as Buffer | null) ?? Buffer.alloc(0)
      socket.unshift(head)
      const isHttp2 = head.subarray(0, 3).toString('latin1') === 'PRI'
      ;(isHttp2 ? second : first).emit('connection', socket)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  open.push({
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  })
  return asked(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, only)
}

export const echoBody = (request: IncomingMessage, response: ServerResponse) =>
  void request.pipe(response)

export async function overTls(options: TlsOptions, onClient: (socket: Socket) => void) {
  const server = createTlsServer({ ...createCertificate(['127.0.0.1']), ...options }, socket => {
    socket.on('error', () => {})
    onClient(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  open.push({ [Symbol.asyncDispose]: async () => void server.close() })
  const url = `tls://127.0.0.1:${(server.address() as AddressInfo).port}`
  return asked(url, 'tls', { calling: { tls: { insecure: true } } })
}

export async function overWs(options: ServerOptions, onClient: (socket: WebSocket) => void) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', ...options })
  await once(server, 'listening')
  server.on('connection', socket => {
    socket.on('error', () => {})
    onClient(socket)
  })
  open.push({
    [Symbol.asyncDispose]: async () => {
      for (const client of server.clients) client.terminate()
      server.close()
    },
  })
  return asked(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, 'ws')
}

export const echoMessages = (socket: WebSocket) =>
  void socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))

export async function overUdp(
  only: string,
  onDatagram: (data: Buffer, answer: (data: Uint8Array) => void) => void,
) {
  const server = await peer({}, onDatagram)
  open.push(server)
  return asked(`udp://127.0.0.1:${server.port}`, only)
}
