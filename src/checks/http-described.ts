/** A request as the other end saw it: a yodel describes it in its answer to GET. */
import type { HostAddress } from '../vocabulary/address.ts'
import type { HttpLine } from './http-exchange.ts'
import type { Scene } from './scene.ts'

interface Place {
  address: string
  port: number
}

/** What is needed here of the description in docs/http.md. */
export interface Described {
  method: string
  headers: [name: string, value: string][]
  peer: Place
  proxy: Place | null
  tls?: { fingerprint?: string | null } | null
}

/** @returns undefined if the other end does not describe requests */
export async function described(
  scene: Scene,
  line: HttpLine,
  headers: readonly string[],
): Promise<Described | undefined> {
  const { resource = '/' } = scene.address as HostAddress
  const request = line.head('GET', resource, headers)
  const { head, body } = await line.exchange([request], scene.silenceMs)
  if (head?.status !== 200) return undefined
  try {
    const said = JSON.parse(body.toString()) as Partial<Described>
    const isIt = Array.isArray(said.headers) && typeof said.peer?.address === 'string'
    return isIt && said.method === 'GET' ? (said as Described) : undefined
  } catch {
    return undefined
  }
}
