/** A broker in this process, and a client of one that seals what it says as agents do. */
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { Aedes } from 'aedes'
import mqtt from 'mqtt'

/** An MQTT broker of another one than yodel: it lets every client do everything. */
export async function startBroker(port = 0) {
  const aedes = await Aedes.createBroker()
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    aedes.handle(socket)
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const own = (server.address() as AddressInfo).port
  return {
    port: own,
    url: `mqtt://127.0.0.1:${own}`,
    /** As if it were killed: no client is told. */
    kill: async () => {
      for (const socket of sockets) socket.resetAndDestroy()
      server.close()
      await once(server, 'close')
      await new Promise<void>(resolve => aedes.close(resolve))
    },
  }
}

export interface Heard {
  topic: string
  payload: Buffer
  words: Record<string, unknown> & { kind?: string; run?: string; startId?: string }
}

/** docs/agents.md: version, seal, length of the words, words, bytes. */
export function sealed(token: string | undefined, topic: string, words: object): Buffer {
  const text = Buffer.from(JSON.stringify(words))
  const rest = Buffer.concat([Buffer.alloc(4), text])
  rest.writeUInt32BE(text.length)
  const seal =
    token === undefined
      ? Buffer.alloc(32)
      : createHmac('sha256', token).update(`${topic}\0`).update(rest).digest()
  return Buffer.concat([Buffer.of(1), seal, rest])
}

function wordsIn(payload: Buffer): Heard['words'] {
  if (payload.length < 37) return {}
  const length = payload.readUInt32BE(33)
  return JSON.parse(payload.toString('utf8', 37, 37 + length)) as Heard['words']
}

/** A client that hears all that agents and coordinators say. */
export async function eavesdropper(url: string, token?: string) {
  const client = await mqtt.connectAsync(url, {
    protocolVersion: 4,
    ...(token !== undefined && {
      username: 'yodel',
      password: createHmac('sha256', token).update('yodel broker').digest('hex'),
    }),
  })
  // Else each message waits for the acknowledgement of the one before: 40 ms.
  ;(client.stream as Socket).setNoDelay(true)
  const heard: Heard[] = []
  const waiting = new Set<() => void>()
  client.on('message', (topic, payload) => {
    heard.push({ topic, payload, words: wordsIn(payload) })
    for (const look of waiting) look()
  })
  await client.subscribeAsync('yodel/1/#', { qos: 1 })
  return {
    heard,
    /** The first that is as wanted, of those that were heard or will be. */
    hears: async (wanted: (message: Heard) => boolean): Promise<Heard> => {
      for (;;) {
        const found = heard.find(wanted)
        if (found) return found
        await new Promise<void>(resolve => {
          const look = () => {
            waiting.delete(look)
            resolve()
          }
          waiting.add(look)
        })
      }
    },
    publish: async (topic: string, payload: Buffer, retain = false) => {
      await client.publishAsync(topic, payload, { qos: 1, retain })
    },
    say: async (topic: string, words: object, retain = false) => {
      await client.publishAsync(topic, sealed(token, topic, words), { qos: 1, retain })
    },
    [Symbol.asyncDispose]: async () => {
      await client.endAsync(true)
    },
  }
}
