/** Asks `yodel check` about a path that is bad in a known way, and holds it against the table. */
import type { CheckResult } from 'yodel'
import { createPath, type Path } from './path.ts'
import type { Pathology } from './pathologies/pathology.ts'

/** What a run of `yodel check` said. */
export interface Told {
  code: number | null
  result: CheckResult
}

/** Runs it on the client of a lab. */
export async function askOn(
  { client, control }: Path,
  address: string,
  ...args: string[]
): Promise<Told> {
  const asking = control === undefined ? [] : ['--control', control]
  const program = client.yodel(['check', address, '--json', ...asking, ...args])
  const { code, stdout, stderr } = await program.finished
  try {
    return { code, result: JSON.parse(stdout.toString()) as CheckResult }
  } catch {
    throw new Error(`check ended with ${code} and no result: ${stderr}`)
  }
}

/** Makes the path, and asks about it: all questions unless some are named. */
export async function examine(
  pathology: Pathology,
  { paired = false, args = [] }: { paired?: boolean; args?: string[] } = {},
): Promise<Told> {
  const path = await createPath(paired)
  await using _ = path.lab
  // Awaited here, or the lab would be gone before.
  const address = await pathology.build(path)
  return await askOn(path, address, ...(pathology.options ?? []), ...args)
}

export const questionOf = (
  { result }: Told,
  name: string,
): CheckResult['questions'][number] | undefined =>
  result.questions.find(question => question.name === name)

/** Whether the question that should finds what it should. (It may find more, and that be worse.) */
export const names = (told: Told, { question, outcome, finding }: Pathology): boolean =>
  questionOf(told, question)?.findings.some(
    found => found.name === finding && found.outcome === outcome,
  ) ?? false

/** Where that finding says that it is. */
export const sideOf = (told: Told, { question, finding }: Pathology): string | undefined =>
  questionOf(told, question)?.findings.find(({ name }) => name === finding)?.side

const ranks = { ok: 0, 'not asked': 0, differs: 1, fails: 2 }

/** Questions that find something although nothing says that they should, or that it is so bad. */
export function falseAlarms(told: Told, pathology: Pathology): string[] {
  const { question, outcome: expected, also = {} } = pathology
  const allowed = (name: string) =>
    Math.max(
      ranks[also[name as keyof typeof also] ?? 'ok'],
      ranks[name === question ? expected : 'ok'],
    )
  return told.result.questions
    .filter(({ name, outcome }) => ranks[outcome] > allowed(name))
    .map(({ name, outcome, said }) => `${name} ${outcome}: ${said}`)
}
