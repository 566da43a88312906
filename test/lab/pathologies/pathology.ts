/** A pathology: a path that is bad in a known way, and what `yodel check` must say of it. */
import type * as Questions from '../../../src/checks/question-table.ts'
import type { Target } from '../middleboxes.ts'
import type { Served } from '../host.ts'
import type { Path } from '../path.ts'

export interface Pathology {
  /** How it is made, in words for the table. */
  made: string
  /** Makes it; the address to be checked. */
  build(path: Path): Promise<string>
  /** Which question must name it, and what that must find. */
  question: Questions.QuestionName
  outcome: 'differs' | 'fails'
  finding: string
  /** Other questions that may see it, too, or that question worse: with these outcomes at most. */
  also?: Partial<Record<Questions.QuestionName, 'differs' | 'fails'>>
  /** Where it happens, which both ends together tell. */
  side?: 'up' | 'down' | 'other end' | 'on the way'
  /** Programs that it needs, beside the lab itself. */
  needs?: readonly string[]
  /** Why `check` does not name it yet. */
  known?: string
  /** Only both ends together can name it. */
  both?: true
  /** What more `check` is told. */
  options?: readonly string[]
}

export type Pathologies = Record<string, Pathology>

/** An echo that says what it saw: in band where that is possible, else by its control API. */
async function serve(path: Path, args: readonly string[]): Promise<Served> {
  const { server, paired } = path
  if (!paired) return server.serve(...args)
  const isBytes = args.every(arg => !/^(udp|wss?|https?):/.test(arg))
  if (isBytes) return server.serve(...args, '--directions')
  const served = await server.serve(...args, '--engine', 'node', '--dashboard=0.0.0.0:7070')
  const [, token] = await served.program.says(/dashboard on http:\/\/\S+token=(\S+)/)
  path.control = `http://${server.ip4}:7070/?token=${token}`
  return served
}

/** An echo at the end of the path, as a proxy reaches it. */
export async function target(path: Path, ...args: string[]): Promise<Target> {
  const { port } = await serve(path, args)
  return { ip4: path.server.ip4, port }
}

/** An echo at the end of the path; its address. */
export const echoAt = async (path: Path, ...args: string[]): Promise<string> =>
  (await serve(path, args)).url
