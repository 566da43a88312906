/** Types commands into a yodel that is there already: to start the program for each costs more. */
import { createInterface } from 'node:readline'
import { after } from 'node:test'
import type { Typed } from './peers/typist.ts'
import { Program, root } from './program.ts'

/**
 * What `yodel` with these arguments prints, and its exit code. They are done one after the other,
 * with the real command line, and none of them can be given stdin or a signal.
 * @param descriptors how many the program may have
 * @param env is added to its environment
 */
export function createTypist(
  descriptors?: number,
  env: Record<string, string> = {},
): (args: readonly string[]) => Promise<Typed> {
  let program: Program | undefined
  let lines: AsyncIterator<string>
  let last: Promise<unknown> = Promise.resolve()
  after(() => program?.[Symbol.asyncDispose]())
  const type = async (args: readonly string[]) => {
    program ??= start(descriptors, env)
    lines ??= createInterface(program.child.stdout!)[Symbol.asyncIterator]()
    program.child.stdin!.write(`${JSON.stringify(args)}\n`)
    const { value } = (await lines.next()) as IteratorYieldResult<string>
    return JSON.parse(value) as Typed
  }
  return args => {
    const typed = last.then(() => type(args))
    last = typed.catch(() => {})
    return typed
  }
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
