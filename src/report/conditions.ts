/** How the conditions of two runs differ. */
import { benchOptions } from '../load/options.ts'
import { optionsIn } from '../options/form.ts'
import { formatSize } from '../vocabulary/units.ts'
import type { RunConditions } from './result.ts'

export interface Difference {
  what: string
  baseline: string
  value: string
}

/** All conditions that have to be alike, as text. */
function conditions(run: RunConditions): Map<string, string> {
  const { machine, versions } = run
  const found = new Map<string, string>([
    ['command', run.command],
    ['system', machine.system],
    ['processor', machine.cpu],
    ['cores', String(machine.cores)],
    ['memory', formatSize(machine.memoryBytes)],
    ['engine', run.engine],
    ['threads', String(run.threads)],
  ])
  for (const [name, { condition, default: usual }] of optionsIn(benchOptions)) {
    if (!condition) continue
    // If a result is older than the option, it was measured with the default.
    const { [condition.key ?? name]: value = usual } = run.options
    found.set(condition.name, condition.show(value))
  }
  for (const [name, version] of Object.entries(versions)) found.set(`version of ${name}`, version)
  return found
}

export function differences(before: RunConditions, after: RunConditions): Difference[] {
  const [first, second] = [conditions(before), conditions(after)]
  const names = [...new Set([...first.keys(), ...second.keys()])]
  return names
    .map(what => ({
      what,
      baseline: first.get(what) ?? 'unknown',
      value: second.get(what) ?? 'unknown',
    }))
    .filter(({ baseline, value }) => baseline !== value)
}
