/** The server's side of sessions over datagrams. No answer is longer than its request. */
import { randomBytes } from 'node:crypto'
import { DatagramReceiver } from '../../../load/direction/datagram-receiver.ts'
import { DatagramSender } from '../../../load/direction/datagram-sender.ts'
import { counter, type CounterName } from '../../../metrics/meter.ts'
import { readHello, sessionVersion, type Hello } from '../../../wire/direction/hello.ts'
import { addressKindOf } from '../../../wire/udp/guard.ts'
import { headKey, payloadHeadBytes } from '../../../wire/udp/payload-head.ts'
import {
  Cookies,
  datagramKinds,
  questionBytes,
  readOther,
  wordOf,
  writeOther,
  writePiece,
} from '../../../wire/udp/session.ts'
import { DatagramTrain } from '../../os/datagram-train.ts'
import { DatagramPump } from './datagram-pump.ts'
import { RateBudget, type GrantedRate } from './rate-budget.ts'
import { payloadOf } from './session-payload.ts'

/**
 * After how long without a sign of the client the server stops sending, and forgets the session.
 */
const sendMs = 1_000
const rememberMs = 10_000
/**
 * The most sessions at a time, since each has a table of the datagrams that came; further ones are
 * refused.
 */
const sessionsMax = 256
const usualBytes = 1_200
const usualRate = 1_000
/**
 * The default of --max-rate: the same as the limit of answers to one source. The loopback has no
 * limit.
 */
const maxRateDefault = 10_000

interface DatagramPeer {
  address: string
  port: number
}

export interface SessionOutlet {
  send(datagram: Buffer, to: DatagramPeer): void
  readonly queued: number
  /** The descriptor of its socket, if it is known. */
  readonly descriptor: number | undefined
}

interface ServedFlow {
  readonly word: number
  readonly id: string
  readonly receiver: DatagramReceiver | undefined
  readonly sender: DatagramSender | undefined
  readonly pump: DatagramPump | undefined
  readonly granted: GrantedRate | undefined
  /** The last report, once it was asked for. */
  report: Buffer | undefined
  heardMs: number
  /**
   * Whether the client has begun, and ended, the session; `stopped`: the server ended it, since the
   * client was silent.
   */
  begun: boolean
  ended: boolean
  stopped: boolean
}

export interface SessionRules {
  counters: Float64Array
  /** The most datagrams per second to all sessions together; undefined: the default. */
  maxRatePerSecond: number | undefined
  /** What the sessions of all threads may send. */
  sessionRates: BigInt64Array
}

/** Stops for ever, so that other sessions may send instead. */
function stopSending({ pump, granted }: ServedFlow) {
  pump?.end()
  granted?.release()
}

const addressOf = ({ address: host, port }: DatagramPeer) =>
  ({ transport: 'udp', host, port }) as const
const keyOf = ({ address, port }: DatagramPeer) => `${address} ${port}`

export class DatagramSessions {
  readonly #outlet: SessionOutlet
  readonly #rules: SessionRules
  readonly #budget: RateBudget
  readonly #cookies = new Cookies(randomBytes(32))
  readonly #flows = new Map<string, ServedFlow>()
  readonly #looking: NodeJS.Timeout

  constructor(outlet: SessionOutlet, rules: SessionRules) {
    this.#outlet = outlet
    this.#rules = rules
    this.#budget = new RateBudget(rules.sessionRates)
    this.#looking = setInterval(() => this.#look(), sendMs / 4).unref()
  }

  /** Handles a datagram of an open session. Returns whether it was one. */
  take(data: Buffer, from: DatagramPeer): boolean {
    if (this.#flows.size === 0 || data.length < 8) return false
    const flow = this.#flows.get(keyOf(from))
    if (!flow) return false
    const now = performance.now()
    const wrong = flow.receiver?.take(data, now)
    if (wrong !== undefined && wrong > 0) this.#count('wrongBytes', 1)
    if (wrong !== undefined) return true
    if (data.readUInt32BE(4) !== flow.word) return false
    // It was changed on the way; the client asks again.
    if (!readOther(data)) return true
    const kind = data[0]
    flow.heardMs = now
    if (kind === datagramKinds.alive) this.#onAlive(flow, data, from)
    else if (kind === datagramKinds.end) this.#onEnd(flow, data, from)
    else if (kind === datagramKinds.ask) this.#onAsk(flow, data, from)
    return true
  }

  /** Handles a hello that the guard has let through. Returns whether the datagram was a hello. */
  greet(data: Buffer, from: DatagramPeer): boolean {
    const found = readHello(data)
    if (found.kind === 'version') this.#refuse(data, from, 0, `it speaks version ${sessionVersion}`)
    if (found.kind === 'malformed') this.#refuse(data, from, 0, found.reason)
    if (found.kind === 'hello') this.#begin(found.hello, data, from)
    return found.kind !== 'other' && found.kind !== 'perhaps' && found.kind !== 'incomplete'
  }

  #begin(hello: Hello, data: Buffer, from: DatagramPeer) {
    const word = wordOf(hello.id)
    const cookie = hello.cookie ?? ''
    if (!this.#cookies.isGood(cookie, from.address, from.port, performance.now())) {
      const fresh = this.#cookies.of(from.address, from.port, performance.now())
      return this.#answer(datagramKinds.cookie, word, { cookie: fresh }, data, from)
    }
    const known = this.#flows.get(keyOf(from))
    if (known?.id !== hello.id) {
      if (this.#flows.size >= sessionsMax)
        return this.#refuse(data, from, word, 'it has too many sessions')
      const reason = this.#open(hello, word, from)
      if (reason !== undefined) return this.#refuse(data, from, word, reason)
    }
    this.#answer(datagramKinds.accepted, word, { from: keyOf(from) }, data, from)
  }

  /** @returns why the hello is refused; undefined if it is not */
  #open(hello: Hello, word: number, from: DatagramPeer): string | undefined {
    const { mode, id, seed, flow, warmupMs = 0 } = hello
    if (mode !== 'up' && mode !== 'down' && mode !== 'both') return `${mode} is not for datagrams`
    const { sizeBytes = usualBytes, ratePerSecond = usualRate } = hello
    if (sizeBytes <= payloadHeadBytes) return `a datagram has more than ${payloadHeadBytes} bytes`
    // The client has begun anew.
    const before = this.#flows.get(keyOf(from))
    if (before) stopSending(before)
    const isDown = mode !== 'up'
    const granted = isDown ? this.#budget.grant(ratePerSecond, this.#mostTo(from)) : undefined
    if (typeof granted === 'string') return granted
    const key = headKey(word, seed, flow)
    const stream = { payload: payloadOf(seed), flow, key, sizeBytes }
    const receiver =
      mode === 'down' ? undefined : new DatagramReceiver(stream, warmupMs, performance.now())
    const pace = { ratePerSecond, warmupMs }
    const sender = mode === 'up' ? undefined : new DatagramSender(stream, pace)
    const outlet = this.#outlet
    const pump =
      sender &&
      new DatagramPump(sender, {
        send: datagram => outlet.send(datagram, from),
        get queued() {
          return outlet.queued
        },
        train: () => DatagramTrain.to(sizeBytes, addressOf(from)),
        get descriptor() {
          return outlet.descriptor
        },
        failed: () => this.#count('datagramsDropped', 1),
        sent: bytes => this.#count('bytesOut', bytes),
      })
    const heardMs = performance.now()
    const state = { report: undefined, heardMs, begun: false, ended: false, stopped: false }
    this.#flows.set(keyOf(from), { word, id, receiver, sender, pump, granted, ...state })
    this.#count('sessions', 1)
    return undefined
  }

  #mostTo({ address }: DatagramPeer): number {
    const isLoopback = addressKindOf(address, new Set()) === 'loopback'
    return this.#rules.maxRatePerSecond ?? (isLoopback ? Infinity : maxRateDefault)
  }

  #onAlive(flow: ServedFlow, data: Buffer, from: DatagramPeer) {
    flow.begun = true
    flow.pump?.begin()
    this.#answer(datagramKinds.report, flow.word, flow.receiver?.report ?? {}, data, from)
  }

  #onEnd(flow: ServedFlow, data: Buffer, from: DatagramPeer) {
    flow.ended = true
    stopSending(flow)
    const { datagrams = 0, measured = 0, bytes = 0, skipped = 0 } = flow.sender ?? {}
    const p99Us = flow.sender ? lateUs(flow.sender) : 0
    const said = {
      datagrams,
      measured,
      sentBytes: bytes,
      skipped,
      lateUs: p99Us,
      stopped: flow.stopped,
    }
    this.#answer(datagramKinds.end, flow.word, said, data, from)
  }

  #onAsk(flow: ServedFlow, data: Buffer, from: DatagramPeer) {
    const asked = Number(readOther(data)?.['from'] ?? 0)
    flow.report ??= Buffer.from(JSON.stringify(flow.receiver?.lastReport ?? {}))
    const isPlace = Number.isInteger(asked) && asked >= 0 && asked <= flow.report.length
    if (data.length < questionBytes || !isPlace) return
    this.#outlet.send(writePiece(flow.word, flow.report, asked), from)
  }

  #refuse(data: Buffer, from: DatagramPeer, word: number, reason: string) {
    this.#count('handshakesFailed', 1)
    this.#answer(datagramKinds.refused, word, { reason }, data, from)
  }

  /** Sends nothing if the answer would be longer than the question. */
  #answer(
    kind: (typeof datagramKinds)[keyof typeof datagramKinds],
    word: number,
    body: object,
    question: Buffer,
    from: DatagramPeer,
  ) {
    const answer = writeOther(kind, word, body)
    if (answer.length <= question.length) this.#outlet.send(answer, from)
  }

  #look() {
    const now = performance.now()
    for (const [key, flow] of this.#flows) {
      // A client may say hello for many flows before the first of them begins.
      if (flow.begun && !flow.ended && now - flow.heardMs > sendMs) {
        flow.stopped = true
        stopSending(flow)
      }
      if (now - flow.heardMs <= rememberMs) continue
      stopSending(flow)
      this.#flows.delete(key)
    }
  }

  close(): void {
    clearInterval(this.#looking)
    for (const flow of this.#flows.values()) stopSending(flow)
  }

  #count(name: CounterName, by: number) {
    this.#rules.counters[counter[name]]! += by
  }
}

/** The 99th percentile of how late the sender itself was. */
export const lateUs = ({ lateness }: DatagramSender): number => {
  const [ns] = lateness.quantiles([0.99])
  return Number.isNaN(ns) ? 0 : ns! / 1e3
}
