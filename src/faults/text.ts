/** A fault as people write it, `reset=1000:10%`: its parts, and the whole again. */

export interface FaultParts {
  kind: string
  /** Behind the `=`; undefined without one. */
  value: string | undefined
  /** Of the connections, a number; undefined for all. */
  percent: string | undefined
}

export function partsOf(text: string): FaultParts {
  const [, rest = '', percent] = /^(.*?)(?::(\d+(?:\.\d+)?)%)?$/s.exec(text) ?? []
  const [, kind = '', value] = /^([^=]*)(?:=(.*))?$/s.exec(rest) ?? []
  return { kind, value, percent }
}

export const textOf = ({ kind, value, percent }: FaultParts): string =>
  kind +
  (value === undefined || value === '' ? '' : `=${value}`) +
  (percent === undefined || percent === '' || Number(percent) === 100 ? '' : `:${percent}%`)
