/** The options of check: a row for each. */
import { callingOptions } from '../options/calling.ts'
import { defaultsOf, group, option, type OptionsOf } from '../options/form.ts'
import { choice, count, duration, list, text, textFor, whether } from '../options/kinds.ts'
import type { Kind } from '../options/form.ts'
import { parseExpectation } from './expectation.ts'
import { questionNames, type QuestionName } from './question-table.ts'

const one = choice(questionNames, 'question')

/** `bytes,half-close`, and repeatable. */
const several: Kind<QuestionName[]> = {
  ...list(one),
  placeholder: '<questions>',
  parse: typed => typed.split(',').map(name => one.parse(name.trim())),
  format: names => [names.join(',')],
}

export const checkOptions = {
  /** Only these questions. */
  only: option(several, {
    default: undefined,
    flag: 'only',
    help: 'ask only these, separated by commas',
  }),
  skip: option(several, {
    default: undefined,
    flag: 'skip',
    help: 'leave these out',
  }),
  expect: option(list(textFor('<expectation>', parseExpectation)), {
    default: undefined,
    flag: 'expect',
    help: "fail unless this holds: 'idle>=15m', 'half-close=ok'; repeatable",
  }),
  thorough: option(whether(), {
    default: false,
    flag: 'thorough',
    help: 'send much more, and look much longer',
  }),
  /** The longest silence that is tried. */
  idleMs: option(duration({ zero: false, endless: false }), {
    default: 10_000,
    flag: 'idle',
    help: 'the longest silence that is tried',
  }),
  maxConnections: option(count({ max: 10_000 }), {
    default: 50,
    flag: 'max-connections',
    help: 'the most connections at once',
  }),
  /** The control API of the server, which says what the server saw. */
  control: option(text('<url>'), {
    default: undefined,
    flag: 'control',
    help: 'the dashboard of the server, to ask what it saw',
  }),
  /** What to send before the first message. */
  calling: group(callingOptions),
}
/**
 * What check() asks.
 * @interface
 */
export type CheckOptions = OptionsOf<typeof checkOptions>
export const checkDefaults = defaultsOf(checkOptions)
