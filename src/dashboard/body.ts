/** What comes with a request: JSON of a known shape, and parameters of known names. */
import type { IncomingMessage } from 'node:http'
import { Refused } from './refused.ts'

const bodyMaxBytes = 65_536

/**
 * The JSON object of a request.
 * @throws Refused if it is too large, or none
 */
export async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/json')
    throw new Refused(415, 'The body is not JSON.', 'Send Content-Type: application/json.')
  const tooLarge = new Refused(413, `A body has ${bodyMaxBytes} bytes at most.`, '', {
    Connection: 'close',
  })
  if (Number(request.headers['content-length'] ?? 0) > bodyMaxBytes) throw tooLarge
  const chunks: Buffer[] = []
  let size = 0
  // The refusal is sent over the same connection, so a body that is too large must not destroy it.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    const bytes = chunk as Buffer
    size += bytes.length
    if (size > bodyMaxBytes) throw tooLarge
    chunks.push(bytes)
  }
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString())
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>
  } catch {
    // The error is thrown below.
  }
  throw new Refused(400, 'The body is not a JSON object.')
}

/** The shape of a value. */
export type Shape = 'text' | 'number' | 'whole' | 'texts'

const tests: Record<Shape, [is: (value: unknown) => boolean, name: string]> = {
  text: [value => typeof value === 'string' && value.length <= 1_000, 'a short text'],
  number: [value => typeof value === 'number' && Number.isFinite(value), 'a number'],
  whole: [value => Number.isInteger(value) && (value as number) >= 0, 'a whole number from 0 on'],
  texts: [
    value => Array.isArray(value) && value.every(one => typeof one === 'string'),
    'a list of texts',
  ],
}

/** The shape of each key; the name of an optional key ends in `?`. */
export type Shapes<T> = {
  [K in keyof T & string as Partial<Pick<T, K>> extends Pick<T, K> ? `${K}?` : K]: Shape
}

/**
 * The body as what it should be.
 * @throws Refused if a key is missing, of another shape, or not known
 */
export function checked<T>(body: Record<string, unknown>, shapes: Shapes<T>): T {
  const known = Object.keys(shapes).map(key => key.replace('?', ''))
  const unknown = Object.keys(body).find(key => !known.includes(key))
  if (unknown !== undefined)
    throw new Refused(400, `'${unknown}' is not known.`, `There are ${known.join(', ')}.`)
  for (const [key, shape] of Object.entries<Shape>(shapes)) {
    const name = key.replace('?', '')
    const value = body[name]
    if (value === undefined && key.endsWith('?')) continue
    const [is, what] = tests[shape]
    if (!is(value)) throw new Refused(400, `'${name}' must be ${what}.`)
  }
  return body as T
}

/**
 * The parameters of a request; numbers become numbers.
 * @throws Refused as above
 */
export function checkedQuery<T>(query: URLSearchParams, shapes: Shapes<T>): T {
  const byName = shapes as Record<string, Shape>
  const entries = [...query].map(([key, text]): [string, unknown] => {
    const shape = byName[key] ?? byName[`${key}?`]
    const isNumber = (shape === 'whole' || shape === 'number') && text.trim() !== ''
    return [key, isNumber ? Number(text) : text]
  })
  return checked<T>(Object.fromEntries(entries), shapes)
}
