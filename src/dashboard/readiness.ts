/** Whether the servers take clients: for load balancers and supervisors. */
import type { Server } from '../serve.ts'

export class Readiness {
  #draining = false
  #lost = false
  readonly #listening = new Set<() => void>()

  /** @param servers each must listen: one that has ended by itself takes no client any more */
  constructor(servers: readonly Pick<Server, 'closed'>[]) {
    const lost = () => {
      this.#lost = true
      this.#tell()
    }
    for (const server of servers) server.closed.then(lost, lost)
  }

  /** Why the servers do not take clients; undefined if they do. */
  get why(): string | undefined {
    if (this.#draining) return 'draining'
    return this.#lost ? 'not listening' : undefined
  }

  get draining(): boolean {
    return this.#draining
  }

  setDraining(): void {
    if (this.#draining) return
    this.#draining = true
    this.#tell()
  }

  onChange(listen: () => void): void {
    this.#listening.add(listen)
  }

  #tell() {
    for (const listen of this.#listening) listen()
  }
}
