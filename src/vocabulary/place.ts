/** The place of a client in a queue, in words. */

/** A place in a queue; null: not known. */
interface QueuePlace {
  place: number | null
  of: number | null
}

const suffixes: Partial<Record<Intl.LDMLPluralRule, string>> = { one: 'st', two: 'nd', few: 'rd' }
const rules = new Intl.PluralRules('en', { type: 'ordinal' })

const ordinal = (n: number): string => `${n}${suffixes[rules.select(n)] ?? 'th'}`

export function placeText({ place, of }: QueuePlace): string {
  if (of === null) return 'waiting: the server is full'
  return `waiting, ${place === null ? 'one' : ordinal(place)} of ${of}`
}
