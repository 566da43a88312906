/** The time that questions share, and how much of it each may take. */
import { questionOf, type QuestionName } from './question-table.ts'

/** How much time is kept for each question that follows, unless a question needs more. */
const reservedMs = 1_000

export const needsOf = (name: QuestionName) => questionOf(name).needsMs ?? reservedMs

/** The time of all questions but those that wait. */
export class Time {
  #leftMs: number
  constructor(leftMs: number) {
    this.#leftMs = leftMs
  }

  /**
   * Runs work that uses this time. It leaves what the other questions need, but may take `needsMs`
   * if that is more.
   */
  async spend<T>(
    others: readonly QuestionName[],
    needsMs: number,
    work: (leftMs: number) => Promise<T>,
  ): Promise<T> {
    const startedMs = performance.now()
    const left = this.#leftMs
    const keptMs = others.reduce((sum, name) => sum + needsOf(name), 0)
    try {
      return await work(
        Math.max(left / (1 + others.length), left - keptMs, Math.min(left, needsMs)),
      )
    } finally {
      this.#leftMs = Math.max(0, this.#leftMs - (performance.now() - startedMs))
    }
  }
}
