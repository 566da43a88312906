/**
 * A soak in epochs: clients come and go, one behaviour after the other. After each epoch all have
 * gone, and so must what the server held for them.
 */
import type { NetConnectOpts } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ServeOptions } from 'yodel'
import { Dice } from './soak-behaviours.ts'
import { growthMaxBytes, growthOf } from './soak-campaign.ts'
import { SoakChild } from './soak-child.ts'

export interface EpochPlan {
  serverPath: string
  /** What is served. */
  url: string
  options: ServeOptions
  seed: number
  /** How many behave at the same time. */
  clients: number
  epochs: number
  epochMs: number
}

/** What clients did: messages that came back as they were, and misuses. */
export interface Done {
  verified: number
  misused: number
}

export interface Look extends Done {
  privateBytes: number
  descriptors: number
}

/** What a client does, once; what was wrong is added to the violations. */
export type Play = (where: NetConnectOpts, dice: Dice, violations: string[]) => Promise<Done>

export interface Found {
  /** Why the server does not serve like that; then nothing was played. */
  refusal?: string | undefined
  violations: string[]
  growthBytes?: number | undefined
}

/** If all clients have gone, the server has noticed it after this time. */
const quietMs = 20_000

/** The first epoch is for what is opened once. */
export async function soakInEpochs(
  plan: EpochPlan,
  play: Play,
  onEpoch: (look: Look) => void,
): Promise<Found> {
  const server = new SoakChild(plan.serverPath, plan.url, plan.options)
  const [violations, looks] = [[] as string[], [] as Look[]]
  try {
    const refusal = await server.hello()
    if (refusal !== undefined) return { refusal, violations }
    for (let n = 0; n < plan.epochs && violations.length === 0; n++) {
      const look = await epoch(plan, play, server, n, violations)
      looks.push(look)
      onEpoch(look)
      const [first] = looks
      if (look.descriptors > first!.descriptors)
        violations.push(`${look.descriptors} descriptors; there were ${first!.descriptors}`)
    }
    const complaint = await server.leave(quietMs)
    if (complaint !== undefined) violations.push(`at the end: ${complaint}`)
  } finally {
    await server.kill()
  }
  if (violations.length === 0 && looks.every(({ verified }) => verified === 0))
    violations.push('no message came back')
  const growthBytes = growthOf(looks.map(({ privateBytes }) => privateBytes))
  if (growthBytes !== undefined && growthBytes > growthMaxBytes)
    violations.push(`private memory has grown by ${Math.round(growthBytes / 2 ** 20)} MiB`)
  return { violations, growthBytes }
}

async function epoch(
  { seed, clients, epochMs }: EpochPlan,
  play: Play,
  server: SoakChild,
  number: number,
  violations: string[],
): Promise<Look> {
  const endMs = performance.now() + epochMs
  const done: Done = { verified: 0, misused: 0 }
  const client = async (index: number) => {
    const dice = new Dice(Math.imul(seed, 0x9e3779b1) ^ (number * clients + index))
    while (performance.now() < endMs && violations.length === 0) {
      const { verified, misused } = await play(server.where, dice, violations)
      done.verified += verified
      done.misused += misused
    }
  }
  await Promise.all(Array.from({ length: clients }, (_, index) => client(index)))
  if (violations.length === 0) await quiet(server, violations)
  return { ...done, privateBytes: server.privateBytes, descriptors: server.descriptors }
}

async function quiet(server: SoakChild, violations: string[]): Promise<void> {
  for (const endMs = performance.now() + quietMs; performance.now() < endMs;) {
    const { open, waiting } = await server.ask()
    if (open + waiting === 0 && server.sockets.length === 0) return
    await sleep(50)
  }
  const { open, waiting } = await server.ask()
  violations.push(`all have gone; ${open} are open, ${waiting} wait, ${server.sockets.join()} left`)
}
