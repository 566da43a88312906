/** Flags for faults: their kinds, their script, and their log. */
import { closeSync, openSync, writeSync } from 'node:fs'
import { usageError } from '../vocabulary/errors.ts'
import { faultKinds, type FaultSpec } from '../faults/index.ts'
import { faultsText, formatFault, parseFault } from '../faults/parse.ts'
import { parseFaultScript, type FaultStep } from '../faults/script.ts'
import { fromFlags, option, type Kind, type OptionsOf } from '../options/form.ts'
import { list, text } from '../options/kinds.ts'
import type { ServeOptions } from '../serve.ts'
import { serveOptions } from '../options/serve.ts'
import { formatDuration } from '../vocabulary/units.ts'
import { cannot } from './files.ts'
import type { Log } from './log.ts'

/** One fault, and the listener that it applies to, counted from 0; all listeners if undefined. */
interface GivenFault {
  spec: FaultSpec
  listener: number | undefined
}

const givenFault: Kind<GivenFault> = {
  placeholder: '<kind=value>',
  /** `delay=50ms`, or `1/delay=50ms` for the second listener only. */
  parse(written) {
    const [, listener, text] = /^(?:(\d+)\/)?(.*)$/s.exec(written)!
    const spec = parseFault(text!)
    return { spec, listener: listener === undefined ? undefined : Number(listener) }
  },
  format: ({ spec, listener }) => [
    (listener === undefined ? '' : `${listener}/`) + formatFault(spec),
  ],
  mistake: () => undefined,
}

const script: Kind<FaultStep[]> = {
  placeholder: '<file>',
  parse: parseFaultScript,
  format: () => ['SCRIPT.json'],
  mistake: () => undefined,
  file: true,
}

/** The flags for faults, their script and their log. */
export const faultFlags = {
  // Each fault is added after the earlier ones.
  fault: option(list(givenFault), {
    default: undefined,
    flag: 'fault',
    where: serveOptions.faults.where!,
    help:
      `misbehave: ${faultKinds.join(', ')}; repeatable; ` +
      '1/kind=value: only on the second address',
  }),
  faultScript: option(script, {
    default: undefined,
    flag: 'fault-script',
    where: serveOptions.faults.where!,
    help: 'which faults are in force when (JSON)',
  }),
  faultLog: option(text('<file>'), {
    default: undefined,
    flag: 'fault-log',
    help: 'write down each fault: one JSON object per line',
  }),
}
type Faulting = OptionsOf<typeof faultFlags>

/** Divides faults among the listeners; undefined for a listener without faults. */
function shareOut({ fault, faultScript }: Faulting, servers: number): (FaultSpec[] | undefined)[] {
  const beyond = fault?.find(({ listener = 0 }) => listener >= servers)
  if (beyond)
    throw usageError(
      `'${beyond.listener}/${formatFault(beyond.spec)}' is for a listener that is not there.`,
      `The listeners count from 0 to ${servers - 1}, in the order of their addresses.`,
    )
  return Array.from({ length: servers }, (_, server) => {
    const own = fault?.filter(({ listener = server }) => listener === server) ?? []
    return own.length > 0 || faultScript ? own.map(({ spec }) => spec) : undefined
  })
}

/** @throws UserError for a log without faults */
export function faultsOf(flags: object): Faulting {
  const faulting = fromFlags(faultFlags, flags as Record<string, unknown>)
  if (faulting.faultLog !== undefined && !faulting.fault && !faulting.faultScript)
    throw usageError('--fault-log is for --fault and --fault-script.')
  return faulting
}

/** The faults of each server, and the log in which they are recorded. */
export function inject(faulting: Faulting, servers: number, log: Log) {
  const { faultScript, faultLog } = faulting
  const faults = shareOut(faulting, servers)
  const file = faultLog === undefined ? undefined : openFaultLog(faultLog, log)
  /** `onChange` is called when the script has set other faults. */
  const script = { onChange: () => {} }
  /** Prints the faults that come into force. */
  const onFaultStep: ServeOptions['onFaultStep'] = (step, atMs) => {
    const text = step && faultsText(step.faults)
    const after = formatDuration(Math.round(atMs))
    log.say('info', `after ${after}: ${text ?? 'as at the start'}`, { faults: text })
    script.onChange()
  }
  const optionsFor = (server: number): ServeOptions => {
    const which = servers > 1 ? { server } : {}
    return {
      faults: faults[server],
      faultScript,
      // Several servers play the same script.
      onFaultStep: server === 0 ? onFaultStep : undefined,
      onFaults: file && ((records, lost) => file.write(which, records, lost)),
    }
  }
  return { faults, optionsFor, script, closeLog: () => file?.close() }
}

/** The log file is written in the background: if that fails, serving goes on. */
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
