/** The parts of a fault in its notation, `reset=1000:10%`: splits and joins them. */

export interface FaultParts {
  kind: string
  /** The value after the `=`; undefined without one. */
  value: string | undefined
  /** The share of the connections in percent; undefined: all. */
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
