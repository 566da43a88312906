/** What the clients of a soak do, well-behaved and badly behaved ones. */
import { setTimeout as sleep } from 'node:timers/promises'
import { chunkMaxBytes, type Peer, type PeerOptions } from './soak-peer.ts'

/** Numbers that look random, and are the same for the same seed. */
export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0
  }

  /** From 0 to below 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number from 0 to below that. */
  below(end: number): number {
    return Math.floor(this.next() * end)
  }

  /** From 1 to that, every order of magnitude as likely as the other. */
  size(max: number): number {
    return Math.ceil(max ** this.next())
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }
}

export interface Scene {
  /** Connects; resolves without waiting for the connection if `eager`. */
  open: (options?: PeerOptions & { eager?: boolean }) => Promise<Peer>
  dice: Dice
  /** The longest time to do nothing. */
  holdMs: number
}

type Behaviour = (scene: Scene) => Promise<void>

async function pingPong({ open, dice }: Scene) {
  const peer = await open()
  for (let rounds = dice.size(100); rounds > 0; rounds--) {
    await peer.send(dice.size(65_536))
    await peer.caughtUp()
  }
  if (dice.chance(0.1)) peer.reset()
  else await peer.finish()
}

async function singleBytes({ open, dice }: Scene) {
  const peer = await open()
  for (let bytes = dice.size(500); bytes > 0; bytes--) await peer.send(1)
  await peer.finish()
}

async function pipelined({ open, dice }: Scene) {
  const peer = await open({ readBytes: 256 + dice.size(2 ** 18) })
  for (const total = dice.size(2 ** 24); peer.sent < total;)
    await peer.send(dice.size(chunkMaxBytes))
  await peer.finish()
}

async function halfClose({ open, dice }: Scene) {
  const peer = await open({ paused: dice.chance(0.5) })
  for (const total = dice.size(2 ** 22); peer.sent < total;) peer.push(dice.size(chunkMaxBytes))
  peer.fin()
  await sleep(dice.below(50))
  peer.resume()
  await peer.finish()
}

async function resetInside({ open, dice }: Scene) {
  const peer = await open({ paused: dice.chance(0.5) })
  for (let chunks = dice.size(8); chunks > 0; chunks--) peer.push(dice.size(chunkMaxBytes))
  await sleep(dice.below(20))
  peer.reset()
}

async function leaveUnread({ open, dice }: Scene) {
  const peer = await open({ paused: true })
  peer.push(dice.size(chunkMaxBytes))
  if (dice.chance(0.3)) peer.fin()
  await sleep(dice.below(30))
  peer.destroy()
}

async function readSlowly({ open, dice }: Scene) {
  const readBytes = 64 + dice.size(16_384)
  const peer = await open({ readBytes, restMs: 1 + dice.below(4) })
  const total = readBytes * dice.size(300)
  while (peer.sent < total) peer.push(Math.min(total - peer.sent, dice.size(chunkMaxBytes)))
  await peer.finish()
}

/** Sends without reading until nothing more is taken, and holds that. */
async function stall({ open, dice, holdMs }: Scene): Promise<Peer> {
  const peer = await open({ paused: true })
  while (peer.sent < 2 ** 25 && (peer.push(dice.size(chunkMaxBytes)) || (await peer.drained(100))));
  await sleep(dice.below(holdMs))
  return peer
}

async function neverRead(scene: Scene) {
  const peer = await stall(scene)
  if (scene.dice.chance(0.5)) peer.reset()
  else peer.destroy()
}

async function readLate(scene: Scene) {
  const peer = await stall(scene)
  peer.resume()
  if (scene.dice.chance(0.3)) {
    await peer.caughtUp()
    await peer.send(scene.dice.size(chunkMaxBytes))
  }
  await peer.finish()
}

/** Stops and starts to read while it sends: in and out of back-pressure. */
async function readByFits({ open, dice }: Scene) {
  const peer = await open()
  for (let fits = dice.size(8); fits > 0; fits--) {
    peer.pause()
    for (let chunks = dice.size(8); chunks > 0; chunks--) peer.push(dice.size(chunkMaxBytes))
    await sleep(dice.below(30))
    peer.resume()
    if (dice.chance(0.5)) await peer.caughtUp()
    else await sleep(dice.below(10))
  }
  await peer.finish()
}

/** Sends so much that a server may move pages, then little, and ends in any way. */
async function flow({ open, dice }: Scene) {
  const peer = await open()
  for (let turns = 1 + dice.below(3); turns > 0; turns--) {
    for (const end = peer.sent + 2 ** 22 + dice.size(2 ** 24); peer.sent < end;)
      await peer.send(chunkMaxBytes)
    for (let little = dice.below(20); little > 0; little--) {
      await peer.send(dice.size(5000))
      if (dice.chance(0.9)) await peer.caughtUp()
    }
  }
  if (dice.chance(0.5)) peer.pause()
  for (let chunks = dice.size(4); chunks > 0; chunks--) peer.push(dice.size(chunkMaxBytes))
  await sleep(dice.below(20))
  if (dice.chance(0.3)) return peer.reset()
  if (dice.chance(0.3)) peer.fin()
  peer.resume()
  await peer.finish()
}

async function burst({ open, dice }: Scene) {
  const one = async () => {
    const what = dice.below(5)
    const peer = await open({ eager: what === 0 })
    if (what >= 3) peer.push(1)
    if (what === 0 || what === 3) peer.destroy()
    else if (what === 1) peer.reset()
    else await peer.finish()
  }
  await Promise.all(Array.from({ length: dice.size(40) }, one))
}

async function idle({ open, dice, holdMs }: Scene) {
  const peer = await open()
  await peer.until(() => peer.ended, dice.below(holdMs))
  if (dice.chance(0.5)) await peer.send(dice.size(1000))
  if (dice.chance(0.7)) await peer.finish()
  else peer.destroy()
}

/** The behaviours, each with its weight. */
const table: [Behaviour, number][] = [
  [pingPong, 20],
  [singleBytes, 8],
  [pipelined, 14],
  [halfClose, 12],
  [resetInside, 10],
  [leaveUnread, 8],
  [readSlowly, 8],
  [neverRead, 4],
  [readLate, 4],
  [readByFits, 6],
  [flow, 8],
  [burst, 8],
  [idle, 8],
]

export function chooseBehaviour(dice: Dice): Behaviour {
  let left = dice.below(table.reduce((sum, [, weight]) => sum + weight, 0))
  return table.find(([, weight]) => (left -= weight) < 0)![0]
}
