/**
 * A soak of one server: epochs of random clients; after each the campaign checks what they left.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ServeOptions } from 'yodel'
import { median } from './figures.ts'
import { chooseBehaviour, Dice, type Scene } from './soak-behaviours.ts'
import { abortsForMemory, SoakChild, type Counted } from './soak-child.ts'
import { Peer, type PeerOptions, type Totals } from './soak-peer.ts'

export interface SoakTask {
  serverPath: string
  /** What is served: plain bytes. */
  url: string
  options: ServeOptions
  /** The limit for the server's process. */
  descriptors: number | undefined
  seed: number
  /** How many behave at the same time; some of them open several connections. */
  clients: number
  epochs: number
  epochMs: number
}

export interface Epoch extends Totals {
  /** How often each behaviour was played. */
  played: Record<string, number>
  privateBytes: number
  descriptors: number
}

/** A connection on which nothing moves for so long is stuck: no behaviour pauses as long. */
const stuckMs = 20_000
/** If all clients have gone, and the server has noticed nothing for this long, it never will. */
const quietMs = 5_000
/** With few descriptors, no more clients are admitted if none was for so long. */
const warmUpMs = 2000
/** Nothing at all to do for so long, and the part of it that may be spent on that. */
const idleMs = 300
const idlePart = 0.4
const idleTries = 5
/** The reason that clients are given when there is a violation already. */
const calledOff = 'called off'
/** More of the same is no help. */
const violationsMax = 10
/** Below so many epochs a trend cannot be told from the warming up of a JavaScript engine. */
const epochsForTrend = 8
/** What the last epochs may use above the early ones: noise of garbage collector and malloc. */
export const growthMaxBytes = 20 * 2 ** 20

export class Campaign {
  readonly violations: string[] = []
  readonly epochs: Epoch[] = []
  readonly #task: SoakTask
  readonly #server: SoakChild
  readonly #peers = new Map<Peer, { name: string; progress: number; atMs: number }>()
  #numbers = 0
  #descriptors = 0

  constructor(task: SoakTask) {
    this.#task = task
    this.#server = new SoakChild(task.serverPath, task.url, task.options, task.descriptors)
  }

  /** Plays it all; with its reason if the server refuses to serve like that. */
  async run(onEpoch: (epoch: Epoch) => void): Promise<string | undefined> {
    const abortsBefore = abortsForMemory()
    const watch = setInterval(() => this.#giveUpStuck(), 250)
    try {
      const refusal = await this.#server.hello()
      if (refusal !== undefined) return refusal
      await this.#warmUp()
      for (let n = 0; n < this.#task.epochs && this.violations.length === 0; n++) {
        this.epochs.push(await this.#epoch())
        onEpoch(this.epochs.at(-1)!)
      }
      this.#lookAtMemory()
      if (this.violations.length > 0) this.violations.push(await this.#testimony(abortsBefore))
      const complaint = await this.#server.leave(quietMs)
      if (complaint !== undefined) this.#violation(`at the end: ${complaint}`)
    } catch (error) {
      this.#violation((error as Error).message)
    } finally {
      clearInterval(watch)
      await this.#server.kill()
    }
    return undefined
  }

  #violation(what: string): void {
    if (what.includes(calledOff)) return
    if (this.violations.length < violationsMax) this.violations.push(what)
  }

  /** What the server counted, to help find the cause. */
  async #testimony(abortsBefore: number): Promise<string> {
    const counts = Object.entries(await this.#server.ask()).filter(([, count]) => count !== 0)
    const says = `the server says: ${counts.map(([name, count]) => `${name} ${count}`).join(', ')}`
    const aborts = abortsForMemory() - abortsBefore
    // Others on this machine can use it up, too: then the server is not to blame.
    return aborts > 0
      ? `${says}; the system reset ${aborts} for want of TCP memory (tcp_mem)`
      : says
  }

  /** Takes all places at once, until no more are served, so that every thread has been started. */
  async #warmUp(): Promise<void> {
    const totals: Totals = { connections: 0, verifiedBytes: 0, broken: 0 }
    let release = () => {}
    const full = new Promise<void>(resolve => (release = resolve))
    const stay = async ({ open }: Scene) => {
      const peer = await open()
      await full
      await peer.send(1)
      await peer.caughtUp()
      await peer.finish()
    }
    const { clients, options, descriptors } = this.#task
    const fewDescriptors = descriptors !== undefined
    const { concurrency = Infinity } = options
    const length = Math.max(clients, Number.isFinite(concurrency) ? concurrency : 0)
    const places = Math.min(length, concurrency)
    const all = Array.from({ length }, () => this.#play(totals, () => stay))
    // Where descriptors are few not all places are taken; then it is enough that no more come.
    for (let open = 0, sinceMs = performance.now(); open < places;) {
      await sleep(20)
      const now = (await this.#server.ask()).open
      if (now > open) sinceMs = performance.now()
      else if (fewDescriptors && performance.now() - sinceMs > warmUpMs) break
      open = now
    }
    release()
    await Promise.all(all)
    await this.#quiet()
    this.#descriptors = this.#server.descriptors
  }

  async #epoch(): Promise<Epoch> {
    const totals: Totals = { connections: 0, verifiedBytes: 0, broken: 0 }
    const played: Record<string, number> = {}
    const endMs = performance.now() + this.#task.epochMs
    const choose = (dice: Dice) => {
      const behaviour = chooseBehaviour(dice)
      played[behaviour.name] = (played[behaviour.name] ?? 0) + 1
      return behaviour
    }
    const client = async () => {
      while (performance.now() < endMs && this.violations.length === 0)
        await this.#play(totals, choose)
    }
    await Promise.all(Array.from({ length: this.#task.clients }, client))
    if (this.violations.length === 0) await this.#quiet()
    const { privateBytes, descriptors } = this.#server
    if (descriptors > this.#descriptors)
      this.#violation(`${descriptors} descriptors; there were ${this.#descriptors} at first`)
    return { ...totals, played, privateBytes, descriptors }
  }

  /** One behaviour. What it does depends only on the seed and on its number. */
  async #play(totals: Totals, choose: (dice: Dice) => (scene: Scene) => Promise<void>) {
    const { seed, epochMs } = this.#task
    const number = ++this.#numbers
    const dice = new Dice(Math.imul(seed, 0x9e3779b1) ^ Math.imul(number, 0x85ebca6b))
    const behave = choose(dice)
    const mine: Peer[] = []
    const open = async ({ eager, ...options }: PeerOptions & { eager?: boolean } = {}) => {
      const peer = new Peer(this.#server.where, seed, number, totals, options)
      mine.push(peer)
      this.#peers.set(peer, { name: behave.name, progress: 0, atMs: performance.now() })
      if (!eager) await peer.connected()
      return peer
    }
    let told = false
    try {
      await behave({ open, dice, holdMs: Math.min(1500, epochMs / 3) })
    } catch (error) {
      told = true
      const peers = mine.filter(peer => peer.broken !== undefined)
      const state = (peers.length > 0 ? peers : mine).map(peer => peer.state).join('; ')
      this.#violation(`client ${number} (${behave.name}): ${(error as Error).message} (${state})`)
    }
    for (const peer of mine) {
      // Wrong bytes count even for a client that would not have waited for the rest.
      if (peer.broken !== undefined && !told)
        this.#violation(`client ${number}: ${peer.broken} (${peer.state})`)
      peer.destroy()
      this.#peers.delete(peer)
    }
  }

  /** After a violation no client needs to be waited for. */
  #giveUpStuck(): void {
    const nowMs = performance.now()
    for (const [peer, last] of this.#peers) {
      if (this.violations.length > 0 || this.#server.exit !== undefined) peer.giveUp(calledOff)
      else if (peer.progress !== last.progress) {
        last.progress = peer.progress
        last.atMs = nowMs
      } else if (nowMs - last.atMs > stuckMs) peer.giveUp(`nothing moves for ${stuckMs} ms`)
    }
  }

  /** All clients have gone; so the server and the system must hold nothing for them. */
  async #quiet(): Promise<void> {
    const gone = async (left: () => number | Promise<number>, everyMs: number) => {
      for (let last = Infinity, sinceMs = 0; ;) {
        const now = await left()
        if (now < last) sinceMs = performance.now()
        last = now
        if (now === 0 || performance.now() - sinceMs > quietMs) return
        await sleep(everyMs)
      }
    }
    await gone(async () => {
      const { open, waiting } = await this.#server.ask()
      return open + waiting
    }, 20)
    await gone(() => this.#server.sockets.length, 100)
    await this.#lookAtProcessor()
    const counted = await this.#server.ask()
    const { open, waiting, turnedAway, wrongBytes, other } = counted
    const zeros = { open, waiting, turnedAway, wrongBytes, other }
    for (const [name, count] of Object.entries(zeros))
      if (count !== 0) this.#violation(`all have gone; the server says: ${name} ${count}`)
    this.#lookAtSums(counted)
    const { sockets } = this.#server
    if (sockets.length > 0)
      this.#violation(
        `all have gone; ${sockets.length} sockets are left, in states ${sockets.join()}`,
      )
  }

  #lookAtSums({ bytesIn, bytesOut }: Counted): void {
    if (bytesOut > bytesIn) this.#violation(`${bytesOut} bytes out, but only ${bytesIn} in`)
  }

  /** A server with nothing to do must sleep. The garbage collector may finish its work first. */
  async #lookAtProcessor(): Promise<void> {
    let part = 0
    for (let n = 0; n < idleTries; n++) {
      const [beforeMs, fromMs] = [this.#server.cpuMs, performance.now()]
      await sleep(idleMs)
      part = (this.#server.cpuMs - beforeMs) / (performance.now() - fromMs)
      if (part <= idlePart) return
    }
    this.#violation(`all have gone; the server is busy for ${Math.round(part * 100)} % of the time`)
  }

  #lookAtMemory(): void {
    const growth = this.growthBytes
    if (growth !== undefined && growth > growthMaxBytes)
      this.#violation(`private memory has grown by ${Math.round(growth / 2 ** 20)} MiB`)
  }

  get growthBytes(): number | undefined {
    return growthOf(this.epochs.map(({ privateBytes }) => privateBytes))
  }
}

/**
 * By how much the median of the last third is above that of the first, when the first quarter of
 * all is left out as warm-up; undefined if there are too few to tell.
 */
export function growthOf(bytes: number[]): number | undefined {
  if (bytes.length < epochsForTrend) return undefined
  const warm = bytes.slice(Math.ceil(bytes.length / 4))
  const third = Math.floor(warm.length / 3)
  return median(warm.slice(-third)) - median(warm.slice(0, third))
}
