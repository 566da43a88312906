/** Flags of faults: which ones, when, and where they are written down. */
import { closeSync, openSync, writeSync } from 'node:fs'
import { Option } from 'commander'
import { usageError } from '../errors.ts'
import { faultKinds } from '../faults/index.ts'
import { parseFault } from '../faults/parse.ts'
import { parseFaultScript, type FaultStep } from '../faults/script.ts'
import type { ServeOptions } from '../serve.ts'
import { formatDuration } from '../units.ts'
import { fileContent } from './calling.ts'
import { cannot } from './files.ts'
import { repeatable, value } from './flags.ts'
import type { Log } from './log.ts'

export interface Faulting {
  /** As they were written, because they are shown again. */
  fault?: string[] | undefined
  faultScript?: FaultStep[] | undefined
  faultLog?: string | undefined
}

export const faultOptions = (): Option[] => [
  // Each one goes behind those before it.
  new Option('--fault <kind=value>', `misbehave: ${faultKinds.join(', ')}; repeatable`).argParser(
    repeatable(checked),
  ),
  new Option('--fault-script <file>', 'which faults are in force when (JSON)').argParser(path =>
    value(parseFaultScript)(fileContent(path)),
  ),
  new Option('--fault-log <file>', 'write down each fault: one JSON object per line'),
]

/** It is shown again as it was written. */
function checked(text: string): string {
  parseFault(text)
  return text
}

/** What they say, and the other flags. */
export function faultsOf<F extends object>(flags: F): { faulting: Faulting; rest: F } {
  const { fault, faultScript, faultLog, ...rest } = flags as F & Faulting
  if (faultLog !== undefined && !fault && !faultScript)
    throw usageError('--fault-log is for --fault and --fault-script.')
  return { faulting: { fault, faultScript, faultLog }, rest: rest as unknown as F }
}

/** What a script has put in force; undefined: what is given with `--fault`. */
export class Played {
  texts: readonly string[] | undefined
  /** Whoever wants to hear of changes. */
  onChange = () => {}

  change(texts: readonly string[] | undefined): void {
    this.texts = texts
    this.onChange()
  }
}

/** The same as the library takes it for each of the servers. */
export function inject({ fault, faultScript, faultLog }: Faulting, servers: number, log: Log) {
  const file = faultLog === undefined ? undefined : openFaultLog(faultLog, log)
  const script = new Played()
  /** Said as they come into force. */
  const onFaultStep: ServeOptions['onFaultStep'] = (step, atMs) => {
    const what = step ? step.label : 'as at the start'
    log.say('info', `after ${formatDuration(Math.round(atMs))}: ${what}`, { faults: step?.label })
    script.change(step?.texts)
  }
  const optionsFor = (server: number): ServeOptions => {
    const which = servers > 1 ? { server } : {}
    return {
      faults: fault?.map(parseFault),
      faultScript,
      // Several servers play the same script.
      onFaultStep: server === 0 ? onFaultStep : undefined,
      onFaults: file && ((records, lost) => file.write(which, records, lost)),
    }
  }
  return { optionsFor, script, closeLog: () => file?.close() }
}

/** A file that is written while nobody waits: if it breaks, serving goes on. */
function openFaultLog(path: string, log: Log) {
  let file: number | undefined
  try {
    file = openSync(path, 'w')
  } catch (error) {
    throw cannot('write', path, error)
  }
  return {
    write(which: object, records: readonly object[], lost: number) {
      if (file === undefined) return
      const lines = [
        ...records.map(record => ({ ...which, ...record })),
        ...(lost ? [{ lost }] : []),
      ]
      try {
        writeSync(file, lines.map(line => `${JSON.stringify(line)}\n`).join(''))
      } catch (error) {
        log.say('error', `${cannot('write', path, error).message} The fault log ends there.`)
        this.close()
      }
    },
    close() {
      if (file !== undefined) closeSync(file)
      file = undefined
    },
  }
}
