/** Which agents are there, and which of them can take a share of a load. */
import { UserError } from '../vocabulary/errors.ts'
import { version } from '../vocabulary/machine.ts'
import { printable } from '../vocabulary/text.ts'
import { formatDuration } from '../vocabulary/units.ts'
import { layout, type Presence } from './messages.ts'

export interface Present {
  agent: string
  hello: Presence
}

export class Roster {
  readonly #present = new Map<string, Presence>()
  /** Agents whose messages are not sealed with our token. */
  readonly #strange = new Set<string>()
  readonly #waiting = new Set<() => void>()
  #told: (line: string) => void

  constructor(tell: (line: string) => void) {
    this.#told = tell
  }

  get all(): Present[] {
    const rows = [...this.#present].map(([agent, hello]) => ({ agent, hello }))
    return rows.toSorted((a, b) => compare(a.hello.name, b.hello.name) || compare(a.agent, b.agent))
  }

  get strange(): number {
    return this.#strange.size
  }

  /** @param hello undefined: not sealed with our token; null: it has gone */
  heard(agent: string, hello: Presence | undefined | null): void {
    const known = this.#present.get(agent)
    this.#strange.delete(agent)
    if (hello) {
      const name = printable(hello.name).slice(0, 64)
      this.#present.set(agent, { ...hello, name })
      if (!known) this.#told(`agent ${name} is there`)
    } else {
      this.#present.delete(agent)
      if (hello === undefined) this.#strange.add(agent)
      else if (known) this.#told(`agent ${known.name} has gone`)
    }
    for (const look of this.#waiting) look()
  }

  runOf(agent: string): string | null | undefined {
    return this.#present.get(agent)?.run
  }

  /** Waits until `holds()` is true, for `ms` at most. Resolves with whether it is true then. */
  async until(holds: () => boolean, ms: number, signal?: AbortSignal): Promise<boolean> {
    if (holds() || signal?.aborted) return holds()
    return new Promise<boolean>(resolve => {
      const end = () => {
        clearTimeout(timer)
        this.#waiting.delete(look)
        signal?.removeEventListener('abort', end)
        resolve(holds())
      }
      const look = () => holds() && end()
      const timer = setTimeout(end, ms)
      signal?.addEventListener('abort', end)
      this.#waiting.add(look)
    })
  }

  /** The agents that can take a share now. */
  free(without: ReadonlySet<string>): Present[] {
    return this.all.filter(({ agent, hello }) => isFree(hello) && !without.has(agent))
  }

  countFree(without: ReadonlySet<string>): number {
    let count = 0
    for (const [agent, hello] of this.#present) if (isFree(hello) && !without.has(agent)) count++
    return count
  }

  /** The error if too few agents came. */
  tooFew(wanted: number, came: readonly string[], ms: number): UserError {
    const names = came.length > 0 ? `: ${came.join(', ')}` : ''
    const number = `${came.length} of ${wanted} agents came within ${formatDuration(ms)}${names}.`
    const others = this.all.flatMap(({ hello }) => whyNot(hello) ?? [])
    const strange = this.#strange.size > 0 ? [`${this.#strange.size} more have another token.`] : []
    const hint = 'Start the others by `yodel agent`, or wait longer: --agent-timeout.'
    return new UserError('network', [number, ...others, ...strange].join(' '), hint)
  }
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

const isFree = (hello: Presence): boolean =>
  hello.run === null && hello.version === version && hello.layout === layout

/** Why an agent that is there cannot take a share. */
export function whyNot(hello: Presence): string | undefined {
  if (hello.version !== version)
    return `Agent ${hello.name} has yodel ${printable(hello.version)}, and this is ${version}.`
  if (hello.layout !== layout) return `Agent ${hello.name} counts in another way.`
  return hello.run === null ? undefined : `Agent ${hello.name} is at work.`
}
