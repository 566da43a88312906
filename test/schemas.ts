/** The schemas of docs/, as programs read them and as tests do. */
import { readFileSync } from 'node:fs'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { root } from './program.ts'

export type Schema = Record<string, unknown>

export const schemaOf = (name: string): Schema =>
  JSON.parse(readFileSync(`${root}docs/${name}.schema.json`, 'utf8')) as Schema

/** The same, but every key has to be described: so that none is forgotten. */
function closed(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(closed)
  if (typeof part !== 'object' || part === null) return part
  // It is another schema, so it has another name.
  const rename = ([key, value]: [string, unknown]) =>
    key === '$id' ? [key, `${String(value)}-closed`] : [key, closed(value)]
  const entries = Object.entries(part).map(rename)
  const isObject = 'required' in part && !('additionalProperties' in part)
  return { ...Object.fromEntries(entries), ...(isObject && { additionalProperties: false }) }
}

const ajv = new Ajv2020({
  allErrors: true,
  allowUnionTypes: true,
  // A condition on a key that is required elsewhere is no mistake.
  strictRequired: false,
  strictTypes: false,
  formats: { 'date-time': (text: string) => !Number.isNaN(Date.parse(text)) && text.endsWith('Z') },
})

/** Others that it refers to. */
const needed: Record<string, string[]> = {
  rounds: ['result'],
  direction: ['result'],
  loaded: ['result', 'direction'],
}

function compiled(name: string, schema: Schema): ValidateFunction {
  for (const other of needed[name] ?? []) compiled(other, schemaOf(other))
  return ajv.getSchema(String(schema['$id'])) ?? ajv.compile(schema)
}

export const validatorOf = (name: string): ValidateFunction => compiled(name, schemaOf(name))

/** A key that is not described is wrong, too. */
export const strictlyOf = (name: string): ValidateFunction =>
  compiled(name, closed(schemaOf(name)) as Schema)

/** What is wrong with a value, as others read it. */
export function mistakesIn(name: string, value: unknown): unknown[] {
  const validate = strictlyOf(name)
  return validate(JSON.parse(JSON.stringify(value))) ? [] : [...(validate.errors ?? [])]
}
