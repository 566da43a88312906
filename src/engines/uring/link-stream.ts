/** What a connection of a load carries: a stream, or the message of a short connection. */
export interface LinkStream {
  readonly connection: number
  readonly issuedBytes: number
  /** Whether nothing more is to be sent, and everything has come back. */
  readonly done: boolean
  failed: boolean
  issue(now: number): number
  onSent(untilBytes: number, atNs?: number): void
  arrived(bytes: Uint8Array, from: number, length: number, now: number, cameNs?: number): boolean
  /** Like arrived(), for a whole message on a transport with messages. */
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
