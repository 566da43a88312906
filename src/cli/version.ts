/** yodel --version -v: the version, the machine, and which engines work on it. */
import { defaultAddress } from '../vocabulary/address.ts'
import { engineNames } from '../vocabulary/engine-names.ts'
import { machine, versions } from '../vocabulary/machine.ts'
import type { ServeTask } from '../task.ts'
import { engines } from '../engines/index.ts'

/** The fields that an engine reads before it opens a task. */
const anyServer = { kind: 'serve', sharePort: false, address: defaultAddress } as ServeTask

/** The lines of `--version -v`, for reports of defects. */
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
