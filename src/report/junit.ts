/**
 * An outline as JUnit XML, which CI systems show: what is missed is a failure, what could not be
 * measured is an error.
 */
import { escapeHtml } from './html/markup.ts'
import type { Case, Outline } from './outline.ts'

export function junit({ command, address, cases, figures, startedAt, ...rest }: Outline): string {
  const { seconds, reproduce, notes } = rest
  const counts = attributes({
    tests: cases.length,
    failures: numberOf(cases, 'missed'),
    errors: numberOf(cases, 'invalid'),
    skipped: numberOf(cases, 'not asked'),
    time: seconds.toFixed(3),
  })
  // The form knows no fractions of a second, and no zone.
  const timestamp = startedAt.replace(/\.\d+Z$|Z$/, '')
  const about =
    (timestamp === '' ? '' : attributes({ timestamp })) + attributes({ hostname: 'localhost' })
  const properties = [...figures, ['reproduce', reproduce] as const]
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `      <property${attributes({ name, value })}/>`)
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="yodel"${counts}>`,
    `  <testsuite${attributes({ name: `${command} ${address}` })}${counts}${about}>`,
    '    <properties>',
    ...properties,
    '    </properties>',
    ...cases.map(each => caseText(command, each)),
    ...(notes.length > 0 ? [`    <system-out>${escapeHtml(notes.join(' '))}</system-out>`] : []),
    '  </testsuite>',
    '</testsuites>\n',
  ].join('\n')
}

const numberOf = (cases: readonly Case[], wanted: Case['outcome']) =>
  cases.filter(({ outcome }) => outcome === wanted).length

/** The attributes of an element. Text of a peer or a file is escaped, so it stays text. */
const attributes = (values: Record<string, string | number>): string =>
  Object.entries(values)
    .map(([name, value]) => ` ${name}="${escapeHtml(String(value))}"`)
    .join('')

const tags = { missed: 'failure', invalid: 'error', 'not asked': 'skipped' } as const

function caseText(command: string, { name, outcome, said }: Case): string {
  const head = `    <testcase${attributes({ classname: command, name })}`
  if (outcome === 'held' || outcome === 'told')
    return said === ''
      ? `${head}/>`
      : `${head}>\n      <system-out>${escapeHtml(said)}</system-out>\n    </testcase>`
  const type = outcome === 'not asked' ? '' : attributes({ type: outcome })
  const inside = `<${tags[outcome]}${attributes({ message: said })}${type}/>`
  return `${head}>\n      ${inside}\n    </testcase>`
}
