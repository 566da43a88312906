/** Writes the text format of Prometheus, version 0.0.4. */

export const contentType = 'text/plain; version=0.0.4; charset=utf-8'

export type Labels = Readonly<Record<string, string>>

/** A sample: labels and value; undefined where it is not known. */
export type Sample = [labels: Labels, value: number | undefined]

const escapeLabel = (text: string): string =>
  text.replace(/[\\"\n]/g, character => (character === '\n' ? '\\n' : `\\${character}`))

function line(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`)
  const selector = pairs.length > 0 ? `{${pairs.join(',')}}` : ''
  return `${name}${selector} ${format(value)}`
}

const format = (value: number): string =>
  value === Infinity ? '+Inf' : value === -Infinity ? '-Inf' : `${value}`

export class MetricsText {
  readonly #lines: string[] = []

  add(type: 'counter' | 'gauge', name: string, help: string, samples: readonly Sample[]): void {
    const known = samples.filter(([, value]) => value !== undefined)
    if (known.length === 0) return
    this.#lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`)
    for (const [labels, value] of known) this.#lines.push(line(name, labels, value!))
  }

  /**
   * @param counts samples within each bound but not within a smaller one; the last count is above
   * all bounds
   */
  addHistogram(
    name: string,
    help: string,
    bounds: readonly number[],
    samples: readonly { labels: Labels; counts: readonly number[]; sum: number }[],
  ): void {
    if (samples.length === 0) return
    this.#lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} histogram`)
    for (const { labels, counts, sum } of samples) {
      let total = 0
      for (const [place, bound] of [...bounds, Infinity].entries()) {
        total += counts[place]!
        this.#lines.push(line(`${name}_bucket`, { ...labels, le: format(bound) }, total))
      }
      this.#lines.push(line(`${name}_sum`, labels, sum), line(`${name}_count`, labels, total))
    }
  }

  toString(): string {
    return `${this.#lines.join('\n')}\n`
  }
}
