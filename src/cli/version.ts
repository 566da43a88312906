/** yodel --version -v: what this is, what it runs on, and which engines work there. */
import { defaultAddress } from '../vocabulary/address.ts'
import { engineNames } from '../vocabulary/engine-names.ts'
import { machine, versions } from '../vocabulary/machine.ts'
import type { ServeTask } from '../task.ts'
import { engines } from '../engines/index.ts'

/** The fields that an engine reads before it opens a task. */
const anyServer = { kind: 'serve', sharePort: false, address: defaultAddress } as ServeTask

/** For a report of a defect: a line for each of what may matter. */
export function versionDetails(): string {
  const { system, cpu, cores } = machine()
  const rows: [name: string, text: string][] = [
    ...Object.entries(versions()),
    ['system', system],
    ['processor', `${cores} x ${cpu}`],
    ...engineNames.map((name): [string, string] => [
      `engine ${name}`,
      engines[name].refuses({ ...anyServer, engine: name }) ?? 'works here',
    ]),
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, text]) => `${name.padEnd(width)}  ${text}\n`).join('')
}
