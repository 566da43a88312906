/** What a request asks for: `?status=503&delay=200ms`, or the same in headers. */
import { parseDuration } from '../../../vocabulary/units.ts'
import { targetOf, type Request } from './exchange.ts'

export interface Directives {
  status: number
  delayMs: number
  /** The echo of a body begins when all of it has come. */
  afterBody: boolean
}

export const delayMaxMs = 60_000
const none: Directives = { status: 200, delayMs: 0, afterBody: false }

const names = ['status', 'delay', 'after'] as const
const headerNames = names.map(name => `x-yodel-${name}`)

/** A quick test for most requests, which ask for nothing. */
const asksForNothing = ({ url = '', headers }: Request): boolean =>
  !url.includes('?') && headerNames.every(name => headers[name] === undefined)

/** @returns a sentence if the request asks for something that makes no sense */
export function directivesOf(request: Request): Directives | string {
  if (asksForNothing(request)) return none
  const { query } = targetOf(request)
  const wanted = (name: (typeof names)[number]) =>
    query.find(([key]) => key === name)?.[1] ?? request.headers[`x-yodel-${name}`]
  const [status, delay, after] = [wanted('status'), wanted('delay'), wanted('after')]
  const directives = { status: 200, delayMs: 0, afterBody: after === 'body' }
  if (after !== undefined && !directives.afterBody)
    return 'An echo begins at once, or with ?after=body when the whole body has come.'
  if (status !== undefined) {
    if (typeof status !== 'string' || !/^[2-5]\d\d$/.test(status))
      return 'A status is a number from 200 to 599, for example ?status=503.'
    directives.status = Number(status)
  }
  if (delay !== undefined) {
    directives.delayMs = typeof delay === 'string' ? durationOf(delay) : NaN
    if (!(directives.delayMs >= 0 && directives.delayMs <= delayMaxMs))
      return 'A delay is a duration of 60s at most, for example ?delay=200ms.'
  }
  return directives
}

function durationOf(text: string): number {
  try {
    return parseDuration(text)
  } catch {
    return NaN
  }
}
