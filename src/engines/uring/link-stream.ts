/** What the ring needs to know of what a connection carries: a stream, or one short message. */
export interface LinkStream {
  readonly connection: number
  readonly issuedBytes: number
  /** Whether nothing more is to be sent, and everything has come back. */
  readonly done: boolean
  failed: boolean
  issue(now: number): number
  onSent(untilBytes: number, atNs?: number): void
  arrived(bytes: Uint8Array, from: number, length: number, now: number, cameNs?: number): boolean
  /** The same for a whole message, where messages have bounds. */
  arrivedMessage(
    bytes: Uint8Array,
    from: number,
    length: number,
    now: number,
    cameNs?: number,
  ): boolean
  fail(reason: number, said?: string): void
  ended(): void
}
