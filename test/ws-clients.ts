/** Clients of the package `ws`, and what tests ask of them. */
import { once } from 'node:events'
import { WebSocket, type ClientOptions } from 'ws'
import { serve, type ServeOptions, type Server } from 'yodel'
import { until } from './client.ts'
import { refusal } from './refusal.ts'

export const start = (options: ServeOptions = {}) => serve('ws://127.0.0.1:0', options)
/** The engines that serve WebSocket, and why one of them cannot do so here; false if it can. */
export const engines = (['node', 'uring'] as const).map(
  engine => [engine, refusal(engine)] as const,
)
export const portOf = ({ address }: Server) => (address as { port: number }).port

/** A client of the package `ws`, upgraded. */
export async function open(server: Server, options: ClientOptions = {}): Promise<WebSocket> {
  const client = new WebSocket(server.url, { perMessageDeflate: false, ...options })
  await once(client, 'open')
  return client
}

export type Message = string | Buffer
/** The next messages, as many as asked for; text as strings. */
export function receive(client: WebSocket, count: number): Promise<Message[]> {
  const messages: Message[] = []
  return new Promise(resolve => {
    if (count === 0) resolve(messages)
    const onMessage = (data: Buffer, isBinary: boolean) => {
      messages.push(isBinary ? data : data.toString())
      if (messages.length < count) return
      client.off('message', onMessage)
      resolve(messages)
    }
    client.on('message', onMessage)
  })
}

export async function closed(client: WebSocket): Promise<[code: number, reason: string]> {
  const [code, reason] = (await once(client, 'close')) as [number, Buffer]
  return [code, reason.toString()]
}

export async function balanced(server: Server) {
  await until(() => server.counts().open === 0)
}
