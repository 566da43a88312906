/**
 * One scene, played with the real programs: one client sends the same message for ever, while a
 * person types into another. First the server serves one client at a time, then many.
 *
 *     npm run demo            or, shorter: node build/examples/demo.js --short
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'

const yodelPath = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const short = process.argv.includes('--short')
/** How long the person is left waiting before the sender is stopped. */
const patienceMs = short ? 500 : 3000
const lines = ['Hello?', 'Is anybody there?', 'Ah!', 'How fast you are.', 'Goodbye.']

const say = (text: string) => void process.stdout.write(`${text}\n`)
/** A wait that does not keep the process alive. */
const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms).unref())

/** Everything that was started and has not ended. */
const running = new Set<ChildProcess>()
process.on('exit', () => running.forEach(child => child.kill('SIGKILL')))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

/** Starts the real program. Its `said` and `told` wait for its next line on stdout and stderr. */
function yodel(...args: string[]) {
  const child = spawn(process.execPath, [yodelPath, ...args])
  running.add(child)
  child.once('close', () => running.delete(child))
  const lineOf = (stream: Readable) => {
    const output = createInterface({ input: stream })[Symbol.asyncIterator]()
    return async (): Promise<string> => {
      const { value, done } = await output.next()
      if (done) throw new Error(`yodel ${args.join(' ')} ended too early`)
      return value
    }
  }
  const { stdin, stdout, stderr } = child
  return {
    said: lineOf(stdout),
    told: lineOf(stderr),
    type: (line: string) => void stdin.write(`${line}\n`),
    async stop(how: 'Ctrl-C' | 'Ctrl-D'): Promise<void> {
      if (how === 'Ctrl-D') stdin.end()
      else child.kill('SIGINT')
      if (running.has(child)) await once(child, 'close')
    },
  }
}

/** Types the lines, each after the echo of the one before. Returns how long each echo took. */
async function converse(person: ReturnType<typeof yodel>): Promise<number[]> {
  const times: number[] = []
  for (const line of lines) {
    const sentAtMs = performance.now()
    person.type(line)
    const echo = await person.said()
    times.push(performance.now() - sentAtMs)
    say(`    > ${line.padEnd(20)} < ${echo.padEnd(20)} ${times.at(-1)!.toFixed(1).padStart(8)} ms`)
  }
  return times
}

async function scene(title: string, concurrency: string): Promise<number> {
  say(`\n${title}\n\n    yodel serve --concurrency ${concurrency}`)
  const server = yodel('serve', 'tcp://127.0.0.1:0', '--concurrency', concurrency)
  const url = /tcp:\S+/.exec(await server.said())![0]
  // Limited, in case that this process dies and cannot stop it.
  const sender = yodel('flood', url, '--duration', '1m')
  await sender.told()
  say(`    yodel flood ${url}      sends for ever\n    yodel connect ${url}    a person types:\n`)
  const person = yodel('connect', '--verbose', url)
  await person.told()
  const conversation = converse(person)
  // Either the person is through, or the sender is stopped after a while.
  const served = conversation.then(() => true)
  const heard = await Promise.race([served, pause(patienceMs).then(() => false)])
  if (heard) say('\n    The sender still sends; no one had to wait for it.')
  else
    say(`    (nothing comes back. After ${patienceMs / 1000} s the sender is stopped with Ctrl-C)`)
  await sender.stop('Ctrl-C')
  const [firstMs] = (await conversation) as [number, ...number[]]
  await person.stop('Ctrl-D')
  await server.stop('Ctrl-C')
  return firstMs
}

const alone = await scene('1. A server for one client at a time', '1')
const together = await scene('2. The same server for many clients', 'unlimited')

say(`
The first echo took ${alone.toFixed(1)} ms where clients are served in turn: it came only once the
sender had left. It took ${together.toFixed(1)} ms where they are served at the same time.`)
