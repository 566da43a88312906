/** Sizes of datagrams: which is the largest that returns whole, and do fragments pass? */
import { isIP } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathMtu } from '../engines/os/path-info.ts'
import type { HostAddress } from '../vocabulary/address.ts'
import { Datagrams, type SentDatagram } from './datagrams.ts'
import type { Answer, Found, NotAsked } from './question.ts'
import type { Scene } from './scene.ts'
import type { SizeFinding } from './sizes-findings.ts'

/** A datagram of these sizes is one packet on Ethernet; the last few are fragments there. */
export const datagramLadder = [
  64, 512, 1_000, 1_200, 1_232, 1_400, 1_452, 1_472, 2_000, 4_000, 8_000, 16_000, 32_000, 65_507,
]
const tries = 3
/** The MTU of Ethernet, if the kernel does not tell that of the path. */
const usualMtu = 1_500
const waitMs = 250
/** On a path that loses one in ten, all of these pass only once in twenty times. */
const smallOnes = 30
const smallEveryMs = 3

export async function askDatagramSizes(scene: Scene): Promise<Answer<SizeFinding> | NotAsked> {
  const datagrams = await Datagrams.open(scene)
  let largest = 0
  let failed: number | undefined
  for (const size of datagramLadder) {
    if (!(await passes(scene, datagrams, size))) {
      failed = size
      break
    }
    largest = size
  }
  const figures = { size: largest, mss: null }
  if (failed === undefined)
    return { said: `datagrams up to ${largest} B came back whole`, found: [], figures }
  const lost = await countLost(scene, datagrams)
  if (lost > 0)
    return {
      notAsked: `${lost} of ${smallOnes} small datagrams are lost, so sizes cannot be told`,
    }
  const found = await describe(scene, datagrams, largest, failed)
  return { said: found.said, found: [found], figures }
}

/** How many small datagrams are lost: a path that loses only large ones loses none of them. */
async function countLost(scene: Scene, datagrams: Datagrams): Promise<number> {
  const small: SentDatagram[] = []
  for (let n = 0; n < smallOnes; n++) {
    small.push(datagrams.send(datagramLadder[0]!))
    await sleep(smallEveryMs)
  }
  await datagrams.came(small.at(-1)!, waitMs + 4 * scene.known.rttMs)
  return small.filter(({ cameMs }) => cameMs === undefined).length
}

async function passes(scene: Scene, datagrams: Datagrams, size: number): Promise<boolean> {
  for (let time = 0; time < tries; time++) {
    const sent = datagrams.send(size)
    if (await datagrams.came(sent, waitMs + 4 * scene.known.rttMs)) return true
    const changed = datagrams.changed.find(({ number }) => number === sent.number)
    // Other changes are findings of the question `udp`; a datagram that was cut is a finding here.
    if (changed) return changed.data.length === size
  }
  return false
}

async function describe(
  scene: Scene,
  datagrams: Datagrams,
  largest: number,
  failed: number,
): Promise<Found<SizeFinding>> {
  const { host } = scene.address as HostAddress
  const family = isIP(host) === 6 ? 6 : 4
  const mtu = (datagrams.fd !== undefined && pathMtu(datagrams.fd, family)) || usualMtu
  const oneBytes = mtu - (family === 4 ? 28 : 48)
  const sent = `${largest} B came back; of ${tries} datagrams of ${failed} B none did`
  const evidence = [`${sent}; packets of up to ${mtu} B are not cut by this machine`]
  const cut = datagrams.changed.at(-1)
  if (cut)
    return {
      name: 'cut',
      said: `a datagram of ${failed} B comes back with ${cut.data.length} B`,
      evidence,
    }
  if (datagrams.errors.has('EMSGSIZE'))
    return { name: 'own-limit', said: `this machine sends no more than ${largest} B`, evidence }
  if (largest > oneBytes)
    return {
      name: 'many-fragments',
      said: `datagrams of more than ${largest} B do not come back, in fragments as smaller ones`,
      evidence,
    }
  if (failed > oneBytes)
    return {
      name: 'no-fragments',
      said: `datagrams of more than one packet do not come back: fragments are dropped`,
      evidence,
    }
  return {
    name: 'black-hole',
    said: `datagrams of more than ${await refine(scene, datagrams, largest, failed)} B vanish`,
    evidence,
  }
}

async function refine(scene: Scene, datagrams: Datagrams, passed: number, failed: number) {
  let [low, high] = [passed, failed]
  for (let times = 0; times < 4 && high - low > 16; times++) {
    const size = Math.floor((low + high) / 2)
    if (await passes(scene, datagrams, size)) low = size
    else high = size
  }
  return low
}
