/** Plain sockets for datagrams, which share no code with yodel. */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'

export interface Peer extends AsyncDisposable {
  readonly socket: Socket
  readonly port: number
  /** Everything that came, in order. */
  readonly came: Buffer[]
  send(data: Uint8Array | string, port: number, host?: string): void
  /** Resolves once this many have come in all. */
  have(count: number): Promise<void>
}

/** @param onDatagram what is done besides keeping it */
export async function peer(
  where: { port?: number; host?: string } = {},
  onDatagram?: (data: Buffer, answer: (data: Uint8Array) => void) => void,
): Promise<Peer> {
  const { port = 0, host = '127.0.0.1' } = where
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  const came: Buffer[] = []
  let wake = () => {}
  socket.on('message', (data, from) => {
    if (onDatagram) onDatagram(data, answer => socket.send(answer, from.port, from.address))
    else came.push(data)
    wake()
  })
  socket.bind({ port, address: host, exclusive: true })
  await once(socket, 'listening')
  return {
    socket,
    port: socket.address().port,
    came,
    send: (data, port, to = host) => socket.send(data, port, to),
    async have(count) {
      while (came.length < count) await new Promise<void>(resolve => (wake = resolve))
    },
    async [Symbol.asyncDispose]() {
      await new Promise<void>(resolve => socket.close(resolve))
    },
  }
}

/** The same on a port as servers have them: below those that systems give to clients. */
export async function peerOnLowPort(
  onDatagram: (data: Buffer, answer: (data: Uint8Array) => void) => void,
): Promise<Peer> {
  for (let port = 21_000; ; port++) {
    try {
      return await peer({ port }, onDatagram)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || port > 22_000) throw error
    }
  }
}
