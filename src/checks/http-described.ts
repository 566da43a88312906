/** A request as the other end saw it: a yodel describes it in its answer to GET. */
import type { HostAddress } from '../vocabulary/address.ts'
import { printable } from '../vocabulary/text.ts'
import type { HttpLine } from './http-exchange.ts'
import type { Scene } from './scene.ts'

interface PeerAddress {
  address: string
  port: number
}

/** What is needed here of the description in docs/http.md. */
export interface RequestDescription {
  method: string
  headers: [name: string, value: string][]
  peer: PeerAddress
  proxy: PeerAddress | null
  tls?: { fingerprint?: string | null } | null
}

/** @returns undefined if the other end does not describe requests */
export async function askDescription(
  scene: Scene,
  line: HttpLine,
  headers: readonly string[],
): Promise<RequestDescription | undefined> {
  const { resource = '/' } = scene.address as HostAddress
  const request = line.head('GET', resource, headers)
  const { head, body } = await line.exchange([request], scene.silenceMs)
  if (head?.status !== 200) return undefined
  try {
    const said = JSON.parse(body.toString()) as Partial<RequestDescription>
    const isIt = Array.isArray(said.headers) && typeof said.peer?.address === 'string'
    return isIt && said.method === 'GET' ? (said as RequestDescription) : undefined
  } catch {
    return undefined
  }
}

/**
 * How the headers that came differ from those that were sent, as a sentence; undefined if they do
 * not. The caller says which of them were changed.
 */
export function differenceOf(
  sent: readonly string[],
  came: readonly (readonly [name: string, value: string])[],
  changed: readonly string[] = [],
): string | undefined {
  const namesOf = (names: readonly string[]) => new Set(names.map(name => name.toLowerCase()))
  const [there, wanted] = [namesOf(came.map(([name]) => name)), namesOf(sent)]
  const all = {
    added: [...there].filter(name => !wanted.has(name)),
    'taken away': [...wanted].filter(name => !there.has(name)),
    changed,
  }
  const parts = Object.entries(all)
    .filter(([, names]) => names.length > 0)
    .map(([how, names]) => `${how}: ${names.join(', ')}`)
  if (parts.length === 0) return undefined
  return printable(`the other end did not see the same headers; ${parts.join('; ')}`)
}
