/** Which files a process of the runner takes: together they end at about the same time. */
import { basename } from 'node:path'

/** What takes much longer than most, in seconds on a busy machine. */
const longOnes: Record<string, number> = {
  direction: 25,
  'tls-hostile': 23,
  'agents-failures': 22,
  accounting: 20,
  'agents-safety': 19,
  outages: 18,
  page: 18,
  rounds: 17,
  'faulty-server': 15,
  'direction-udp': 13,
  action: 12,
  agents: 11,
  'check-busy': 10,
  'check-control': 10,
  route: 10,
  'engine-uring': 9,
  stalls: 9,
  'bench-command': 8,
  check: 8,
  'check-paired': 8,
  'find-max': 8,
  'load-tls': 8,
  parts: 8,
  'both-ways': 7,
  cli: 7,
  'direction-http': 7,
  lab: 7,
  merge: 7,
}
const usual = 1.5

const secondsOf = (file: string) => longOnes[basename(file).replace(/\.test\.\w+$/, '')] ?? usual

/** Each hand's files, the longest first, so that what is left for the end is short. */
export function deal(files: readonly string[], hands: number): string[][] {
  const dealt = Array.from({ length: hands }, () => ({ files: [] as string[], seconds: 0 }))
  for (const file of files.toSorted((a, b) => secondsOf(b) - secondsOf(a))) {
    const least = dealt.reduce((best, hand) => (hand.seconds < best.seconds ? hand : best))
    least.files.push(file)
    least.seconds += secondsOf(file)
  }
  return dealt.map(({ files }) => files)
}
