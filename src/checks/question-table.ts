/** The questions, in the order in which they are asked: write a file, and name it here. */
import { bytes } from './bytes.ts'
import { families } from './families.ts'
import { halfClose } from './half-close.ts'
import { http } from './http.ts'
import { idle } from './idle.ts'
import { latency } from './latency.ts'
import { overload } from './overload.ts'
import { proxy } from './proxy.ts'
import type { Question } from './question.ts'
import { sizes } from './sizes.ts'
import { tlsQuestion } from './tls.ts'
import { udp } from './udp.ts'
import { ws } from './ws.ts'

export const questions = {
  bytes,
  'half-close': halfClose,
  overload,
  idle,
  sizes,
  latency,
  families,
  tls: tlsQuestion,
  http,
  ws,
  udp,
  proxy,
} as const satisfies Record<string, Question>

export type QuestionName = keyof typeof questions
export const questionNames = Object.keys(questions) as QuestionName[]

/** A question by its name, whatever its findings are. */
export const questionOf = (name: QuestionName): Question => questions[name]
