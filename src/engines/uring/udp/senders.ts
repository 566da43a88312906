/**
 * What the guard knows of each source, found by its name (sockaddr) as the kernel writes it. (To
 * make text of the sockaddr would cost more than everything else.)
 */
import { AF_INET } from '../../os/kernel-numbers.ts'
import { ipText } from '../../../vocabulary/ip-bytes.ts'
import type { Guard, GuardedSender } from '../../../wire/udp/guard.ts'

/** The size of the table, and in how many places a source is searched. */
const places = 4096
const tries = 8

/** A source, and the last answer to it that can still be made longer. */
export interface KnownSender {
  readonly sender: GuardedSender
  /** The turn in which the answer was made, and its place in the list of that turn. */
  turn: number
  answer: number
}

/** The port in the first word of a name. */
export const portIn = (word: number): number => ((word >>> 8) & 0xff00) | (word >>> 24)

export class Senders {
  readonly #guard: Guard
  /** The words of a sockaddr that distinguish sources, counted from the first one. */
  readonly #telling: readonly number[]
  readonly #keys: Int32Array
  readonly #found: (KnownSender | undefined)[] = Array.from({ length: places })
  #turnovers = 0

  /** @param family the family of all addresses */
  constructor(guard: Guard, family: number) {
    this.#guard = guard
    // In a sockaddr of IPv6 the second word is the flow, and the last one the scope.
    this.#telling = family === AF_INET ? [0, 1] : [0, 2, 3, 4, 5, 6]
    this.#keys = new Int32Array(places * this.#telling.length)
  }

  /** Finds the source whose sockaddr begins at that word. */
  find(words: Int32Array, at: number, nowMs: number): KnownSender {
    // A source that the guard has forgotten must be forgotten here, too.
    if (this.#guard.turnovers !== this.#turnovers) this.#forget()
    const telling = this.#telling
    const { length } = telling
    let hash = 0
    for (let n = 0; n < length; n++)
      hash = Math.imul((hash ^ words[at + telling[n]!]!) + 0x9e3779b9, 0x85ebca6b)
    hash ^= hash >>> 15
    for (let n = 0; n < tries; n++) {
      const place = (hash + n) & (places - 1)
      const found = this.#found[place]
      if (found === undefined) return this.#add(place, words, at, nowMs)
      if (this.#isAt(place, words, at)) return found
    }
    return this.#add(hash & (places - 1), words, at, nowMs)
  }

  #isAt(place: number, words: Int32Array, at: number): boolean {
    const [telling, keys] = [this.#telling, this.#keys]
    const { length } = telling
    for (let n = 0; n < length; n++)
      if (keys[place * length + n] !== words[at + telling[n]!]) return false
    return true
  }

  #add(place: number, words: Int32Array, at: number, nowMs: number): KnownSender {
    for (const [n, word] of this.#telling.entries())
      this.#keys[place * this.#telling.length + n] = words[at + word]!
    const sender = this.#guard.sender(textOf(words, at), portIn(words[at]!), nowMs)
    // Asking the guard for this sender may have made it forget other senders.
    if (this.#guard.turnovers !== this.#turnovers) this.#forget()
    const added = { sender, turn: 0, answer: 0 }
    this.#found[place] = added
    return added
  }

  #forget(): void {
    this.#found.fill(undefined)
    this.#turnovers = this.#guard.turnovers
  }
}

/**
 * The address in a sockaddr as text. A link-local address has its zone, without which it means
 * nothing.
 */
function textOf(words: Int32Array, at: number): string {
  const bytes = new Uint8Array(words.buffer, words.byteOffset + at * 4, 28)
  if ((words[at]! & 0xffff) === AF_INET) return ipText(bytes.subarray(4, 8))
  const scope = words[at + 6]
  return scope === 0 ? ipText(bytes.subarray(8, 24)) : `${ipText(bytes.subarray(8, 24))}%${scope}`
}
