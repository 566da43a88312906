/** A relay between a client and an echo server that does one thing wrong, as real ones do. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** Joins two sockets, in whichever bad way. `back` is the one to the server. */
export type Join = (front: Socket, back: Socket) => void

export interface BadPath extends AsyncDisposable {
  url: string
}

/** Passes bytes and FIN on, in both directions, as a good relay does. */
export const faithful: Join = (front, back) => {
  front.pipe(back)
  back.pipe(front)
}

/** Listens on a free port of the loopback, and joins each client with the server at that port. */
export async function badPath(port: number, join: Join): Promise<BadPath> {
  const open = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true, noDelay: true }, front => {
    const back = connect({ port, allowHalfOpen: true, noDelay: true })
    for (const socket of [front, back]) {
      open.add(socket)
      socket.on('close', () => open.delete(socket)).on('error', () => socket.destroy())
    }
    // A client that resets takes its connection to the server with it.
    front.on('close', () => front.errored && back.destroy())
    join(front, back)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      const closed = once(server, 'close')
      server.close()
      await closed
    },
  }
}

/** Changes what comes back. */
const mapped =
  (map: (chunk: Buffer) => Buffer): Join =>
  (front, back) => {
    front.pipe(back)
    back.on('data', (chunk: Buffer) => void front.write(map(chunk)))
    back.on('end', () => front.end())
  }

const latin1 = (map: (text: string) => string) => (chunk: Buffer) =>
  Buffer.from(map(chunk.toString('latin1')), 'latin1')

export const joins = {
  faithful,
  /** The server never learns that the client has finished. */
  swallowsFin: (front, back) => {
    front.pipe(back, { end: false })
    back.pipe(front)
    front.on('end', () => {})
  },
  /**
   * FIN is passed on later: by far more than a busy machine is slow, and before it counts as gone.
   */
  delaysFin: (front, back) => {
    front.pipe(back, { end: false })
    back.pipe(front)
    front.on('end', () => setTimeout(() => back.end(), 1_200))
  },
  /** One end is taken for both: what is under way is thrown away. */
  closesBoth: (front, back) => {
    front.pipe(back)
    back.pipe(front)
    front.on('end', () => {
      front.destroySoon()
      back.destroy()
    })
  },
  /** The same with a RST. */
  resetsAtFin: (front, back) => {
    front.pipe(back)
    back.pipe(front)
    front.on('end', () => void front.resetAndDestroy())
  },
  greets: (front, back) => {
    front.write('220 welcome\r\n')
    faithful(front, back)
  },
  translatesLines: mapped(latin1(text => text.replaceAll(/\r?\n/g, '\r\n'))),
  /** Now and then a bit is turned over. */
  flipsBits: (front, back) => {
    let passed = 0
    front.pipe(back)
    back.on('data', (chunk: Buffer) => {
      const place = Math.ceil((passed + 1) / 200_000) * 200_000 - passed
      if (place < chunk.length) chunk[place]! ^= 4
      passed += chunk.length
      front.write(chunk)
    })
    back.on('end', () => front.end())
  },
  /** The first time that all 256 values pass, one of them is damaged. */
  flipsOnce: (() => {
    let isDone = false
    return mapped(chunk => {
      if (isDone || chunk.length < 256) return chunk
      isDone = true
      const copy = Buffer.from(chunk)
      copy[100]! ^= 16
      return copy
    })
  })(),
  dropsNul: mapped(latin1(text => text.replaceAll('\0', ''))),
  clearsHighBit: mapped(chunk => Buffer.from(chunk.map(byte => byte & 127))),
  /** Nothing is passed on before there are 4 kB of it. */
  waitsForMore: (front, back) => {
    let kept = Buffer.alloc(0)
    front.on('data', (chunk: Buffer) => {
      kept = Buffer.concat([kept, chunk])
      if (kept.length < 4_096) return
      back.write(kept)
      kept = Buffer.alloc(0)
    })
    front.on('end', () => back.end(kept))
    back.pipe(front)
  },
  /** Passes on whole lines. */
  byLine: (front, back) => {
    let kept = ''
    front.on('data', (chunk: Buffer) => {
      kept += chunk.toString('latin1')
      const end = kept.lastIndexOf('\n') + 1
      if (end > 0) back.write(Buffer.from(kept.slice(0, end), 'latin1'))
      kept = kept.slice(end)
    })
    front.on('end', () => back.end(Buffer.from(kept, 'latin1')))
    back.pipe(front)
  },
  /** Takes what looks like HTTP for HTTP. */
  answersHttp: (front, back) => {
    front.once('data', (chunk: Buffer) => {
      if (!chunk.toString('latin1').startsWith('GET ')) {
        back.write(chunk)
        return faithful(front, back)
      }
      front.end('HTTP/1.1 400 Bad Request\r\n\r\n')
      back.destroy()
    })
  },
  /** Passes this many bytes of a connection, and then nothing more. */
  stopsAfter100k: (front, back) => {
    let passed = 0
    front.on('data', (chunk: Buffer) => {
      const left = Math.max(0, 100_000 - passed)
      passed += chunk.length
      if (left > 0) back.write(chunk.subarray(0, left))
    })
    front.on('end', () => back.end())
    back.pipe(front)
  },
  /**
   * Sends a large request of HTTP only until its answer begins, as nginx does with a slow server.
   * The head says when that is, so that no time decides.
   */
  stopsAtAnswer: (front, back) => {
    let room = Infinity
    front.on('data', (chunk: Buffer) => {
      const head = chunk.toString('latin1', 0, 2_000)
      const [, length] = /^POST [^]*content-length: (\d+)/i.exec(head) ?? []
      const isEarly = Number(length) > 100_000 && !/x-yodel-after: body/i.test(head)
      if (length !== undefined) room = isEarly ? 60_000 : Infinity
      if (room > 0) back.write(chunk.subarray(0, room))
      room -= chunk.length
    })
    front.on('end', () => back.end())
    back.pipe(front)
  },
  endsAtLongMessages: (front, back) => {
    front.on('data', (chunk: Buffer) => {
      if (chunk.length > 20_000) front.destroySoon()
      else back.write(chunk)
    })
    back.pipe(front)
  },
  swallowsLongMessages: (front, back) => {
    front.on('data', (chunk: Buffer) => {
      if (chunk.length < 1_300) back.write(chunk)
    })
    front.on('end', () => back.end())
    back.pipe(front)
  },
  /** Passes on what came when nothing more has come for a while. */
  collects: (front, back) => {
    let [kept, timer] = [Buffer.alloc(0), setTimeout(() => {}, 0)]
    front.on('data', (chunk: Buffer) => {
      kept = Buffer.concat([kept, chunk])
      clearTimeout(timer)
      timer = setTimeout(() => {
        back.write(kept)
        kept = Buffer.alloc(0)
      }, 150)
    })
    front.on('end', () => back.end(kept))
    back.pipe(front)
  },
  /** Each piece goes back as two writes, of which Nagle's algorithm holds the second. */
  delaysSmall: (front, back) => {
    front.setNoDelay(false)
    front.pipe(back)
    back.on('data', (chunk: Buffer) => {
      front.write(chunk.subarray(0, 1))
      // Two chunks of the same turn would overtake each other.
      back.pause()
      setImmediate(() => {
        front.write(chunk.subarray(1))
        back.resume()
      })
    })
    back.on('end', () => front.end())
  },
  /** Ends a connection on which nothing has come for 300 ms. */
  endsSilent: (front, back) => {
    faithful(front, back)
    // From the first bytes on: on a busy machine it may take a while before they come.
    front.once('data', () => void front.setTimeout(300, () => front.end()))
  },
  /** A proxy that accepts, but has no server behind it. */
  silent: (_front, back) => {
    back.destroy()
  },
  resetsAtOnce: (front, back) => {
    back.destroy()
    front.once('data', () => void front.resetAndDestroy())
  },
} satisfies Record<string, Join>

export type JoinName = keyof typeof joins

/** The same on the way back. */
export const reversed =
  (join: Join): Join =>
  (front, back) =>
    join(back, front)

/** Joins this many clients, the first; what further ones see. */
export function limited(most: number, further: (front: Socket) => void): Join {
  let clients = 0
  return (front, back) => {
    if (clients >= most) {
      back.destroy()
      return further(front)
    }
    clients++
    back.on('close', () => clients--)
    front.on('close', () => back.destroy())
    faithful(front, back)
  }
}
