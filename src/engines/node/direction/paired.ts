/**
 * An echo connection that the server traces, and the request for that trace on another connection.
 * On transports of bytes: tcp, tls, unix.
 */
import { randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { afterTimeout } from '../core/patience.ts'
import {
  frameKinds,
  SessionFrameReader,
  type AcceptedBody,
  type Bodies,
} from '../../../wire/direction/frames.ts'
import { readAnswer, writeHello, type Mode } from '../../../wire/direction/hello.ts'
import type { Trace } from '../../../wire/direction/trace.ts'

/** Why the other side does not serve a session. */
export class NoSession extends Error {}

export interface Traced {
  /** The id by which the trace is requested. */
  id: string
  /** The server's answer: the address of this client as the server sees it. */
  accepted: AcceptedBody
}

/**
 * Asks the server to keep a trace of a stream that is just connected. Afterwards the bytes of the
 * stream are echoed as they are. Rejects with NoSession if the server does not know how, or with
 * the error of the stream; then the stream can no longer be used.
 */
export async function trace(stream: Duplex, timeoutMs: number): Promise<Traced> {
  const id = randomBytes(16).toString('hex')
  const accepted = await sayHello(stream, 'echo', id, frameKinds.accepted, timeoutMs)
  return { id, accepted }
}

/**
 * Asks for a trace over a stream that is just connected. Null: the server does not know that id
 * (any more).
 */
export async function askTrace(
  stream: Duplex,
  id: string,
  timeoutMs: number,
): Promise<Trace | null> {
  const answer = await sayHello(stream, 'trace', id, frameKinds.trace, timeoutMs)
  stream.destroy()
  return answer.trace
}

/** Resolves with the body of the first frame of that kind. */
function sayHello<K extends keyof Bodies>(
  stream: Duplex,
  mode: Mode,
  id: string,
  wanted: K,
  timeoutMs: number,
): Promise<Bodies[K]> {
  return new Promise((resolve, reject) => {
    let bytes: Buffer = Buffer.alloc(0)
    let inFrames = false
    const settle = (how: () => void) => {
      done()
      stream.off('data', onData).off('end', onEnd).off('error', fail).off('close', onEnd)
      how()
    }
    const fail = (error: Error) => settle(() => reject(error))
    const onEnd = () => fail(new NoSession('it closed the connection'))
    const done = afterTimeout(timeoutMs, () => fail(new NoSession('it sent no answer in time')))
    const reader = new SessionFrameReader({
      onPayload: () => {},
      onFrame: (kind, body) => {
        if ((kind as number) === wanted) settle(() => resolve(body as Bodies[K]))
        else if (kind === frameKinds.refused)
          fail(new NoSession((body as { reason: string }).reason))
      },
    })
    const onData = (chunk: Buffer) => {
      if (inFrames) return take(chunk, 0)
      bytes = Buffer.concat([bytes, chunk])
      const answer = readAnswer(bytes)
      if (answer.kind === 'echoed') return fail(new NoSession('it echoes the session as any bytes'))
      if (answer.kind === 'incomplete') return
      inFrames = true
      take(bytes, answer.at)
    }
    const take = (chunk: Buffer, from: number) => {
      reader.push(chunk, from)
      if (reader.broken !== undefined) fail(new NoSession('it answers something else'))
    }
    stream.on('data', onData).on('end', onEnd).on('error', fail).on('close', onEnd)
    stream.write(writeHello({ mode, id, seed: 0, flow: 0 }))
  })
}
