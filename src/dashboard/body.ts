/** Reads and checks what comes with a request: its JSON and its parameters. */
import type { IncomingMessage } from 'node:http'
import { Refused } from './refused.ts'
import { problemOf, type ObjectShape, type Of } from './shape.ts'

const bodyMaxBytes = 65_536

/**
 * The JSON object of a request.
 * @throws Refused if it is too large, or missing
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

/**
 * Checks the body of a request, and gives it its type.
 * @throws Refused if a key is missing, of another shape, or not known
 */
export function bodyAs<S extends ObjectShape>(body: Record<string, unknown>, shape: S): Of<S> {
  const problem = problemOf(body, shape.fields)
  if (problem) throw new Refused(400, ...problem)
  return body as Of<S>
}

/**
 * The parameters of a request; numbers become numbers.
 * @throws Refused as above
 */
export function checkedQuery<S extends ObjectShape>(query: URLSearchParams, shape: S): Of<S> {
  const entries = [...query].map(([key, text]): [string, unknown] => {
    const its = shape.fields[key]
    const isNumber = its !== undefined && 'isNumber' in its && text.trim() !== ''
    return [key, isNumber ? Number(text) : text]
  })
  return bodyAs(Object.fromEntries(entries), shape)
}
