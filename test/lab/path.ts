/** The path that most labs are about. */
import type { Host } from './host.ts'
import { chain, Lab, type Link } from './lab.ts'

/** client – near – far – server; proxies run on far. */
export interface Path {
  lab: Lab
  client: Host
  near: Host
  far: Host
  server: Host
  /** The server answers questions of `check` about what it saw: see `paired` in docs/check.md. */
  paired: boolean
  /** Where its control API is, which says what it saw on other transports than bytes. */
  control?: string
}

/** @param more links to further hosts */
export async function createPath(paired = false, more: readonly Link[] = []): Promise<Path> {
  const lab = await Lab.create([...chain('client', 'near', 'far', 'server'), ...more])
  const [client, near, far, server] = ['client', 'near', 'far', 'server'].map(name =>
    lab.host(name),
  ) as [Host, Host, Host, Host]
  return { lab, client, near, far, server, paired }
}
