/**
 * Asks the control API of the server what it saw of the connections of a check: on any transport,
 * and without sending anything on the connections themselves.
 */
import type { Account } from '../engines/accounts.ts'
import { ControlClient } from '../engines/control-client.ts'
import { isSamePlace } from '../vocabulary/same-host.ts'

export type { Account }

/** After this time an answer counts as missing. */
const answerMs = 5_000
/** Behind a proxy: how much earlier and later the other end may have opened a connection. */
const [earlyMs, lateMs] = [10, 250]

interface AccountsAnswer {
  now: number
  accounts: Account[]
}

export class Control {
  readonly #client: ControlClient
  /** How far the clock of the server is ahead of this one. */
  readonly #aheadMs: number
  readonly #known = new Set<string>()
  /** The accounts that were found, by the address of this end. */
  readonly #found = new Map<string, string>()
  /** SHA-256 of the certificates of its listeners. */
  readonly fingerprints: readonly string[]

  /**
   * Asks the server to keep accounts for this long. Each answer has to come within `withinMs`.
   * @throws UserError if no server answers there, or refuses
   */
  static async begin(url: string, forMs: number, withinMs = Infinity): Promise<Control> {
    const client = new ControlClient(url, undefined, Math.min(answerMs, withinMs))
    const seconds = Math.min(3_600, Math.ceil(forMs / 1e3))
    const { now } = await client.ask<{ now: number }>('POST', '/api/accounts', { seconds })
    // The server answers when all of its threads know.
    const aheadMs = now - Date.now()
    type Listeners = { listeners: { fingerprint: string | null }[] }
    const { listeners } = await client.ask<Listeners>('GET', '/api/server')
    const fingerprints = listeners.flatMap(({ fingerprint }) => fingerprint ?? [])
    return new Control(client, aheadMs, fingerprints)
  }

  private constructor(client: ControlClient, aheadMs: number, fingerprints: string[]) {
    this.#client = client
    this.#aheadMs = aheadMs
    this.fingerprints = fingerprints
  }

  /** From now on all existing accounts belong to other connections. */
  async look(): Promise<void> {
    const { accounts } = await this.#client.ask<AccountsAnswer>('GET', '/api/accounts')
    for (const account of accounts) this.#known.add(keyOf(account))
  }

  /**
   * The account of the connection from that address. If a proxy or a NAT hides the address: the
   * only account that is new since the last look, or the only one that was opened at that time.
   * Undefined if several are possible.
   */
  async accountOf({ local, openedAt }: Own): Promise<Account | undefined> {
    const { accounts } = await this.#client.ask<AccountsAnswer>('GET', '/api/accounts')
    const before = this.#found.get(local)
    const port = /:\d+$/.exec(local)?.[0]
    const isOwn = (account: Account) =>
      keyOf(account) === before ||
      isSamePlace(account.peer, local) ||
      (account.realPeer !== null && isSamePlace(account.realPeer, local)) ||
      (isAny(local) && account.peer.endsWith(port!))
    const fresh = accounts.filter(account => !this.#known.has(keyOf(account)))
    const wantedAt = openedAt + this.#aheadMs
    const near = fresh.filter(
      ({ openedAt: at }) => at > wantedAt - earlyMs && at < wantedAt + lateMs,
    )
    const [hidden] = [fresh, near].find(({ length }) => length === 1) ?? []
    const found = accounts.findLast(isOwn) ?? hidden
    for (const account of accounts) this.#known.add(keyOf(account))
    if (found) this.#found.set(local, keyOf(found))
    return found
  }

  /**
   * Asks the server to read the marks (DSCP and ECN) of that client's datagrams, and to mark the
   * answers.
   */
  async mark(peer: string, mark: number): Promise<void> {
    await this.#client.ask('POST', '/api/accounts/marks', { peer, mark })
  }

  /** Asks the server to send the last datagram of that client back once more. */
  async again(peer: string): Promise<void> {
    await this.#client.ask('POST', '/api/accounts/again', { peer })
  }
}

/** The end of a connection on this machine. */
export interface Own {
  /** Its address. */
  local: string
  /** In milliseconds since 1970. */
  openedAt: number
}

const keyOf = ({ peer, openedAt }: Account) => `${peer} ${openedAt}`
const isAny = (local: string) => /^(0\.0\.0\.0|\[::\]):/.test(local)
