/** Where the cause of a finding is: a sentence for each side. */
import type { CauseSide } from './question.ts'

const sentences: Record<CauseSide, string> = {
  up: 'on the way to the other end',
  down: 'on the way back from the other end',
  'on the way': 'on the way between both ends',
  'other end': 'the program at the other end',
  'this machine': 'this machine',
  unknown: 'the program at the other end, or something on the way: one end alone cannot tell which',
}

export const whereOf = (side: CauseSide): string => sentences[side]
