/**
 * The machine and the versions: part of every result, because figures mean nothing without them.
 */
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem, type } from 'node:os'

/** The version of this package. */
export const version = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
).version

export const versions = (): Record<string, string> => ({
  yodel: version,
  node: process.versions.node,
  v8: process.versions.v8,
})

export interface Machine {
  /** `Linux 6.18.5 x64` */
  system: string
  cpu: string
  /** How many cores this process may use. */
  cores: number
  memoryBytes: number
}

export function machine(): Machine {
  return {
    system: `${type()} ${release()} ${process.arch}`,
    cpu: cpus()[0]?.model.trim() || 'unknown processor',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
  }
}
