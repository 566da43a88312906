/** Makes the command for a server like this one, from the arguments of `yodel serve`. */
import type { Command } from 'commander'
import { optionsIn } from '../options/form.ts'
import { isForTransport } from '../options/where.ts'
import { serveOptions } from '../options/serve.ts'
import type { TransportName } from '../vocabulary/transport.ts'

/**
 * The options that are left out: faults, whose present values are printed; the options of dashboard
 * and log, which do not change how it serves; a token, which is secret; and inherited sockets,
 * which no longer exist.
 */
const leftOut = new Set(
  (
    'fault fault-script fault-log fd json log-level quiet ' +
    'dashboard dashboard-token-file dashboard-bench-anywhere metrics-open health'
  ).split(' '),
)
const rows = new Map(optionsIn(serveOptions).map(([, row]) => [row.flag, row]))

export class Typed {
  readonly #options: { name: string; words: string[] }[] = []

  /** To be called before the command line is read. */
  constructor(command: object) {
    const reader = command as Command
    for (const option of reader.options) {
      const name = option.name()
      if (leftOut.has(name)) continue
      reader.on(`option:${name}`, (text?: string) => {
        const words = [`--${name}`, ...(text == null ? [] : [text])]
        this.#options.push({ name, words })
      })
    }
  }

  /** The arguments that apply to a listener of that kind. */
  wordsFor(transport: TransportName): string[] {
    return this.#options.flatMap(({ name, words }) =>
      isForTransport(rows.get(name) ?? {}, transport) ? words : [],
    )
  }
}
