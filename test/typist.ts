/** Types commands into a yodel that is there already: to start the program for each costs more. */
import { createInterface } from 'node:readline'
import { after } from 'node:test'
import type { Typed } from './peers/typist.ts'
import { Program, root } from './program.ts'

type Typist = (args: readonly string[], env?: Record<string, string>) => Promise<Typed>

/** Files that run in one process share them. */
const typists = new Map<number | undefined, { typist: Typist; leave: () => Promise<void> }>()

/**
 * What `yodel` with these arguments prints, and its exit code. They are done one after the other,
 * with the real command line, and none of them can be given stdin or a signal. To be called where a
 * file begins: what is called in a test ends with it.
 * @param descriptors how many the program may have
 * @param env is added to its environment, for its own commands
 */
export function createTypist(descriptors?: number, env: Record<string, string> = {}): Typist {
  const { typist, leave } = typists.get(descriptors) ?? create(descriptors)
  typists.set(descriptors, { typist, leave })
  after(leave)
  return args => typist(args, env)
}

function create(descriptors: number | undefined) {
  let program: Program | undefined
  let lines: AsyncIterator<string>
  let last: Promise<unknown> = Promise.resolve()
  const type: Typist = async (args, env) => {
    if (!program) {
      program = start(descriptors)
      lines = createInterface(program.child.stdout!)[Symbol.asyncIterator]()
    }
    program.child.stdin!.write(`${JSON.stringify({ args, env })}\n`)
    const { value } = (await lines.next()) as IteratorYieldResult<string>
    return JSON.parse(value) as Typed
  }
  const typist: Typist = (args, env) => {
    const typed = last.then(() => type(args, env))
    last = typed.catch(() => {})
    return typed
  }
  const leave = async () => {
    const left = program
    program = undefined
    await left?.[Symbol.asyncDispose]()
  }
  return { typist, leave }
}

function start(descriptors: number | undefined): Program {
  const command = [process.execPath, `${root}build/test/peers/typist.js`]
  if (descriptors === undefined) return new Program(command[0]!, command.slice(1), 'open')
  return new Program(
    'sh',
    ['-c', `ulimit -n ${descriptors} && exec "$@"`, 'sh', ...command],
    'open',
  )
}
