/**
 * Accounts of what a server saw of each client, kept while a program asks for them over its control
 * API: what came and what went, when, and how it ended. Otherwise nothing is kept.
 */
import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import { BroadcastChannel } from 'node:worker_threads'
import { peerText } from '../vocabulary/text.ts'
import type { Forwarded } from '../wire/proxy-header.ts'
import { failureName } from './failures.ts'
import { writtenTo } from './written.ts'

/** Instants are milliseconds since 1970. */
export interface Account {
  /** The address of the listener. */
  url: string
  /** The client's address as it is seen here. */
  peer: string
  /** The client's address by a PROXY header; null without one. */
  realPeer: string | null
  openedAt: number
  /** Bytes on the wire after the handshakes; with TLS, the encrypted bytes. */
  bytesIn: number
  bytesOut: number
  /** The client's FIN; its RST; the server's own FIN; the end of the connection. */
  events: { at: number; what: 'fin' | 'reset' | 'ended' | 'closed' }[]
  /** The headers of an upgrade to WebSocket, as the request had them; null for anything else. */
  headers: [name: string, value: string][] | null
  /** For udp: how many datagrams came, and how many were answered; null for a connection. */
  datagrams: { came: number; answered: number; largestBytes: number } | null
  /** The marks of what came; only for udp, and only if a check asks for them. */
  marks: MarksSeen | null
}

/** Which marks (DSCP and ECN, as one byte) datagrams had. */
export interface MarksSeen {
  /** Why marks cannot be read here; null if they can. */
  refusedBecause: string | null
  came: { mark: number; datagrams: number }[]
}

/** What can be done for a client of udp. */
export interface DatagramClient {
  send(data: Buffer): void
  /** Reads the marks of its datagrams from now on, and sets this mark on the answers. */
  mark(mark: number, seen: MarksSeen): void
}

/** The most accounts that a thread keeps; older ones are forgotten. */
const accountsMax = 2_000
/** How long the threads that serve have to answer. */
const collectMs = 2_000
/** Larger datagrams are not kept, so they cannot be sent once more. */
const againMaxBytes = 1_200

interface KeptAccount {
  account: Account
  /** Brings its figures up to date. */
  update(): void
  /** The handshakes are over: bytes count from now on. */
  begin?(): void
  /** Sends the last datagram to its client once more. */
  again?(): void
  mark?(mark: number): void
}

type ChannelMessage =
  | { keepMs: number }
  | { again: string }
  | { marksOf: string; mark: number }
  | { ask: string }
  | { answer: string; urls: string[]; accounts: Account[] }

class Accounts {
  /** Whether accounts are kept now. */
  isKeeping = false
  /** The addresses that this thread serves. */
  readonly urls: string[] = []
  readonly #entries = new Map<Socket | string, KeptAccount>()
  #timer: NodeJS.Timeout | undefined

  opened(raw: Socket, url: string): void {
    if (!this.isKeeping) return
    const account = accountOf(url, peerText(raw.remoteAddress, raw.remotePort))
    let [readBefore, wroteBefore] = [0, 0]
    const written = () => writtenTo(raw) - raw.writableLength
    const update = () => {
      account.bytesIn = raw.bytesRead - readBefore
      account.bytesOut = Math.max(0, written() - wroteBefore)
    }
    const begin = () => {
      readBefore = raw.bytesRead
      wroteBefore = written()
    }
    const note = (what: Account['events'][number]['what']) => {
      update()
      account.events.push({ at: Date.now(), what })
    }
    raw.once('end', () => note('fin'))
    raw.once('finish', () => note('ended'))
    raw.once('error', error => failureName(error) === 'reset' && note('reset'))
    raw.once('close', () => note('closed'))
    this.#add(raw, { account, update, begin })
  }

  #add(key: Socket | string, entry: KeptAccount) {
    const [oldest] = this.#entries.size >= accountsMax ? this.#entries.keys() : []
    if (oldest !== undefined) this.#entries.delete(oldest)
    this.#entries.set(key, entry)
  }

  /** The handshakes of a connection are over. */
  begun(raw: Socket, forwarded: Forwarded | undefined): void {
    const entry = this.#entries.get(raw)
    if (!entry) return
    entry.begin!()
    if (forwarded) entry.account.realPeer = peerText(forwarded.source, forwarded.sourcePort)
  }

  /**
   * Keeps the headers of the request that upgraded a connection.
   * @param raw names and values in turn, as Node has them
   */
  requested(socket: Socket, raw: readonly string[]): void {
    const entry = this.#entries.get(socket)
    if (!entry) return
    entry.account.headers = raw.flatMap((name, at) => (at % 2 === 0 ? [[name, raw[at + 1]!]] : []))
  }

  /** A datagram came from a client. */
  datagram(url: string, peer: string, data: Buffer, client: DatagramClient): void {
    if (!this.isKeeping) return
    const key = `${url} ${peer}`
    let entry = this.#entries.get(key)
    if (!entry) {
      const datagrams = { came: 0, answered: 0, largestBytes: 0 }
      const fresh = { ...accountOf(url, peer), datagrams }
      const mark = (value: number) => {
        fresh.marks = { refusedBecause: null, came: [] }
        client.mark(value, fresh.marks)
      }
      entry = { account: fresh, update: () => {}, mark }
      this.#add(key, entry)
    }
    const { account } = entry
    account.bytesIn += data.length
    account.datagrams!.came++
    account.datagrams!.largestBytes = Math.max(account.datagrams!.largestBytes, data.length)
    if (data.length > againMaxBytes) return
    const copy = Buffer.from(data)
    entry.again = () => client.send(copy)
  }

  /** A datagram of a client was answered. */
  answered(url: string, peer: string, bytes: number): void {
    const entry = this.isKeeping ? this.#entries.get(`${url} ${peer}`) : undefined
    if (!entry) return
    entry.account.bytesOut += bytes
    entry.account.datagrams!.answered++
  }

  keep(forMs: number): void {
    this.isKeeping = forMs > 0
    clearTimeout(this.#timer)
    if (this.isKeeping) this.#timer = setTimeout(() => this.keep(0), forMs).unref()
    else this.#entries.clear()
  }

  again(peer: string): number {
    const all = [...this.#entries.values()].filter(({ account }) => account.peer === peer)
    for (const entry of all) entry.again?.()
    return all.length
  }

  mark(peer: string, mark: number): void {
    for (const entry of this.#entries.values()) if (entry.account.peer === peer) entry.mark?.(mark)
  }

  list(): Account[] {
    for (const entry of this.#entries.values()) entry.update()
    return [...this.#entries.values()].map(({ account }) => account)
  }
}

const accountOf = (url: string, peer: string): Account => ({
  url,
  peer,
  realPeer: null,
  openedAt: Date.now(),
  bytesIn: 0,
  bytesOut: 0,
  events: [],
  headers: null,
  datagrams: null,
  marks: null,
})

const openChannel = () =>
  // In Node a BroadcastChannel can do more than its type says.
  new BroadcastChannel('yodel accounts') as BroadcastChannel & EventTarget

const dataOf = (event: unknown) => (event as { data: ChannelMessage }).data

let own: Accounts | undefined

/** The accounts of this thread, which exist from the first call on. */
export function threadAccounts(): Accounts {
  if (own) return own
  const accounts = (own = new Accounts())
  const channel = openChannel()
  channel.unref()
  channel.addEventListener('message', event => {
    const message = dataOf(event)
    if ('keepMs' in message) accounts.keep(message.keepMs)
    else if ('again' in message) accounts.again(message.again)
    else if ('marksOf' in message) accounts.mark(message.marksOf, message.mark)
    else if ('ask' in message)
      channel.postMessage({
        answer: message.ask,
        urls: accounts.urls,
        accounts: accounts.list(),
      } satisfies ChannelMessage)
  })
  return accounts
}

/** The address of a server, and how many of its threads keep accounts. */
export interface ServingThreads {
  url: string
  threads: number
}

/** The accounts of all threads that serve, for the control API of the same process. */
export class AllAccounts {
  readonly #channel = openChannel()
  readonly #serving: readonly ServingThreads[]

  constructor(serving: readonly ServingThreads[]) {
    this.#serving = serving
    this.#channel.unref()
  }

  /**
   * Tells the threads to keep accounts for this long from now on. Resolves when the threads know.
   */
  async keep(forMs: number): Promise<void> {
    this.#channel.postMessage({ keepMs: forMs } satisfies ChannelMessage)
    await this.list()
  }

  /** Sends the last datagram of that client to it once more. */
  again(peer: string): void {
    this.#channel.postMessage({ again: peer } satisfies ChannelMessage)
  }

  /**
   * Tells the thread of that client to read the marks of its datagrams. Resolves when its thread
   * does so.
   */
  async mark(peer: string, mark: number): Promise<void> {
    this.#channel.postMessage({ marksOf: peer, mark } satisfies ChannelMessage)
    await this.list()
  }

  async list(): Promise<Account[]> {
    const question = randomUUID()
    const all: Account[] = []
    const channel = this.#channel
    const urls = new Set(this.#serving.map(({ url }) => url))
    let missing = this.#serving.reduce((sum, { threads }) => sum + threads, 0)
    await new Promise<void>(resolve => {
      const settle = () => {
        clearTimeout(timer)
        channel.removeEventListener('message', onMessage)
        resolve()
      }
      const onMessage = (event: unknown) => {
        const message = dataOf(event)
        if (!('answer' in message) || message.answer !== question) return
        const own = message.urls.filter(url => urls.has(url))
        all.push(...message.accounts.filter(({ url }) => urls.has(url)))
        missing -= own.length
        if (missing <= 0) settle()
      }
      const timer = setTimeout(settle, collectMs)
      channel.addEventListener('message', onMessage)
      channel.postMessage({ ask: question } satisfies ChannelMessage)
      if (missing === 0) settle()
    })
    return all
  }

  close(): void {
    this.#channel.close()
  }
}
