/** Types commands into a yodel that is there already: to start the program for each costs more. */
import { createInterface } from 'node:readline'
import { after } from 'node:test'
import type { Typed } from './peers/typist.ts'
import { Program, root } from './program.ts'

type Typist = (args: readonly string[]) => Promise<Typed>

/** Files that run in one process share those that are alike. */
const typists = new Map<string, { typist: Typist; leave: () => Promise<void> }>()

/**
 * What `yodel` with these arguments prints, and its exit code. They are done one after the other,
 * with the real command line, and none of them can be given stdin or a signal. To be called where a
 * file begins: what is called in a test ends with it.
 * @param descriptors how many the program may have
 * @param env is added to its environment
 */
export function createTypist(descriptors?: number, env: Record<string, string> = {}): Typist {
  const key = JSON.stringify([descriptors, env])
  const { typist, leave } = typists.get(key) ?? create(descriptors, env)
  typists.set(key, { typist, leave })
  after(leave)
  return typist
}

function create(descriptors: number | undefined, env: Record<string, string>) {
  let program: Program | undefined
  let lines: AsyncIterator<string>
  let last: Promise<unknown> = Promise.resolve()
  const type = async (args: readonly string[]) => {
    if (!program) {
      program = start(descriptors, env)
      lines = createInterface(program.child.stdout!)[Symbol.asyncIterator]()
    }
    program.child.stdin!.write(`${JSON.stringify(args)}\n`)
    const { value } = (await lines.next()) as IteratorYieldResult<string>
    return JSON.parse(value) as Typed
  }
  const typist: Typist = args => {
    const typed = last.then(() => type(args))
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

function start(descriptors: number | undefined, env: Record<string, string>): Program {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`)
  const added = variables.length > 0 ? ['env', ...variables] : []
  const command = [...added, process.execPath, `${root}build/test/peers/typist.js`]
  if (descriptors === undefined) return new Program(command[0]!, command.slice(1), 'open')
  return new Program(
    'sh',
    ['-c', `ulimit -n ${descriptors} && exec "$@"`, 'sh', ...command],
    'open',
  )
}
