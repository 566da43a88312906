/** What clients do in a soak of udp: what comes back must have been sent, and some may be lost. */
import { createHash, randomBytes } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { Dice } from './soak-behaviours.ts'
import type { Play } from './soak-epochs.ts'

const sizeMaxBytes = 65_507
/** What has not come back after this time is lost. */
const lostAfterMs = 2_000

/** A socket for each behaviour, so that the server sees many sources. */
export const datagramPlay: Play = async (where, dice, violations) => {
  const socket = createSocket('udp4')
  // If the server is gone, nothing comes back, and that is seen.
  socket.on('error', () => {})
  socket.connect((where as { port: number }).port, '127.0.0.1')
  await once(socket, 'connect')
  const client = new DatagramClient(socket, violations)
  const misused = await behaviours[dice.below(behaviours.length)]!(client, dice)
  client.close()
  return { verified: client.verified, misused }
}

/** What clients that have closed were still owed: another one may get their port, and the echo. */
class Owed {
  #young = new Set<string>()
  #old = new Set<string>()

  add(digest: string): void {
    if (this.#young.size >= 10_000) [this.#old, this.#young] = [this.#young, new Set()]
    this.#young.add(digest)
  }

  has(digest: string): boolean {
    return this.#young.has(digest) || this.#old.has(digest)
  }
}
const owed = new Owed()

const digestOf = (data: Buffer) => createHash('sha1').update(data).digest('base64')

class DatagramClient {
  verified = 0
  readonly #socket: Socket
  /** How often each datagram was sent and has not come back, by its digest. */
  readonly #sent = new Map<string, number>()
  #wake = () => {}

  constructor(socket: Socket, violations: string[]) {
    this.#socket = socket
    socket.on('message', data => {
      const digest = digestOf(data)
      const left = this.#sent.get(digest) ?? 0
      if (left > 1) this.#sent.set(digest, left - 1)
      else this.#sent.delete(digest)
      if (left > 0) this.verified++
      else if (!owed.has(digest)) violations.push(`${data.length} bytes came that were not sent`)
      this.#wake()
    })
  }

  send(data: Buffer): void {
    const digest = digestOf(data)
    this.#sent.set(digest, (this.#sent.get(digest) ?? 0) + 1)
    this.#socket.send(data)
  }

  /** Waits until all has come back, or nothing more comes. */
  async caughtUp(): Promise<void> {
    while (this.#sent.size > 0 && (await this.#comes()));
  }

  /** Whether something comes in time. */
  #comes(): Promise<boolean> {
    return new Promise(resolve => {
      const timer = setTimeout(() => resolve(false), lostAfterMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve(true)
      }
    })
  }

  close(): void {
    for (const digest of this.#sent.keys()) owed.add(digest)
    this.#socket.close()
  }
}

/** Each returns how many misuses it was. */
type Behaviour = (client: DatagramClient, dice: Dice) => Promise<number>

async function pingPong(client: DatagramClient, dice: Dice) {
  for (let rounds = dice.size(50); rounds > 0; rounds--) {
    client.send(randomBytes(dice.size(sizeMaxBytes)))
    await client.caughtUp()
  }
  return 0
}

async function burst(client: DatagramClient, dice: Dice) {
  for (let count = dice.size(200); count > 0; count--) client.send(randomBytes(dice.size(2_000)))
  await client.caughtUp()
  return 0
}

async function nothing(client: DatagramClient, dice: Dice) {
  for (let count = dice.size(20); count > 0; count--) client.send(Buffer.alloc(dice.below(2)))
  await client.caughtUp()
  return 0
}

/** As a loop of two echo servers would. */
async function theSame(client: DatagramClient, dice: Dice) {
  const data = randomBytes(dice.size(1_000))
  for (let count = dice.size(500); count > 0; count--) client.send(data)
  await client.caughtUp()
  return 1
}

/** The system answers the echoes with ICMP. */
async function leaveAtOnce(client: DatagramClient, dice: Dice) {
  for (let count = dice.size(50); count > 0; count--) client.send(randomBytes(dice.size(1_000)))
  if (dice.chance(0.5)) await new Promise(setImmediate)
  return 1
}

const behaviours: readonly Behaviour[] = [pingPong, burst, nothing, theSame, leaveAtOnce]
