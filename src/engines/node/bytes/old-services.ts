/** Discard (RFC 863) and chargen (RFC 864) in place of the echo, for old clients. */
import type { Socket } from 'node:net'
import { counter, type Meter } from '../../../metrics/meter.ts'
import { characters } from '../../../wire/old-services.ts'
import { unsentMaxBytes } from '../../backpressure.ts'
import { countGarbage } from '../../garbage.ts'
import { failureName } from '../../failures.ts'
import type { EchoHandler } from '../core/protocol.ts'

/** What is written at a time: whole cycles of all lines, so that the next write continues them. */
const piece = Buffer.concat(Array.from({ length: 9 }, () => characters))
/** How many pieces one client gets in a turn, so that the thread also serves the others. */
const piecesPerTurn = 2

/** Reads whatever comes, and answers nothing but FIN. */
export function createDiscard({ counters }: Meter): EchoHandler {
  return {
    start(socket) {
      listen(socket, counters)
      socket.on('end', () => socket.end())
    },
    finish: leave,
  }
}

/** Sends until the client has gone, or has sent FIN; what comes is read and discarded. */
export function createCharacters({ counters }: Meter): EchoHandler {
  return {
    start(socket) {
      listen(socket, counters)
      let next: NodeJS.Immediate | undefined
      const fill = () => {
        clearImmediate(next)
        for (let pieces = 0; socket.writable; pieces++) {
          if (socket.writableLength > unsentMaxBytes) return
          if (pieces === piecesPerTurn) {
            next = setImmediate(fill)
            return
          }
          counters[counter.bytesOut]! += piece.length
          socket.write(piece)
        }
      }
      socket.on('drain', fill)
      socket.on('end', () => socket.end())
      socket.on('close', () => clearImmediate(next))
      fill()
    },
    finish: leave,
  }
}

function listen(socket: Socket, counters: Float64Array) {
  socket.on('data', (chunk: Buffer) => {
    counters[counter.chunks]!++
    counters[counter.bytesIn]! += chunk.length
    countGarbage(chunk.length)
  })
  socket.on('error', error => counters[counter[failureName(error)]]!++)
}

function leave(socket: Socket) {
  socket.end()
  socket.resume()
}
