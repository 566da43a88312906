/** The questions, in the order in which they are asked: write a file, and name it here. */
import { bytes } from './bytes.ts'
import { halfClose } from './half-close.ts'
import { overload } from './overload.ts'
import type { Question } from './question.ts'

export const questions = {
  bytes,
  'half-close': halfClose,
  overload,
} as const satisfies Record<string, Question>

export type QuestionName = keyof typeof questions
export const questionNames = Object.keys(questions) as QuestionName[]

/** Of a question of whatever findings. */
export const questionOf = (name: QuestionName): Question => questions[name]
