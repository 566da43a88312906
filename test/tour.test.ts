/** docs/tour.md: its commands do what it says, and its source is that of the program. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { dial, echo, until } from './client.ts'
import { onlyFull } from './full.ts'
import { Program, portOf, root, yodelServe } from './program.ts'
import { refusal } from './refusal.ts'
import { createTypist } from './typist.ts'

const page = `${root}docs/tour.md`
const text = readFileSync(page, 'utf8')
const commands = [...text.matchAll(/^npx yodel (.*)$/gm)].map(([, words]) => words!.split(' '))
const crowd = 6
const type = createTypist()

/** From the line that begins so to the end of its block, without the indentation. */
function blockOf(file: string, start: string): string {
  const lines = readFileSync(`${root}${file}`, 'utf8').split('\n')
  const first = lines.findIndex(line => line.trimStart() === start)
  assert.ok(first >= 0, `${file} has no line ${start}`)
  const indent = lines[first]!.length - start.length
  const isEnd = (line: string) => line.replace(/,$/, '') === `${' '.repeat(indent)}}`
  const length = lines.slice(first + 1).findIndex(isEnd)
  return lines
    .slice(first, first + length + 2)
    .map(line => line.slice(indent))
    .join('\n')
}

test('the source that the tour shows is that of the program', () => {
  const places = /<!-- source (\S+): (.*) -->\n[^]*?<!-- end -->/g
  const fresh = text.replace(places, (_, file: string, start: string) => {
    const block = `// ${file}\n${blockOf(file, start)}`
    return `<!-- source ${file}: ${start} -->\n\n\`\`\`ts\n${block}\n\`\`\`\n\n<!-- end -->`
  })
  if (process.env['PAGES'] === 'write') writeFileSync(page, fresh)
  const advice = 'Make it again: PAGES=write node build/test/run.js tour'
  assert.ok(readFileSync(page, 'utf8') === fresh, `docs/tour.md shows other source. ${advice}`)
})

test('it has five steps, and ends with a comparison on the reader’s machine', async () => {
  assert.deepEqual(
    commands.map(([command]) => command),
    [...Array<string>(5).fill('serve'), 'compare-engines'],
  )
  assert.match(text, /^npm run crowd /m)
  // What follows compare-engines needs half a minute and an idle machine.
  assert.equal((await type(['compare-engines', '--help'])).code, 0)
})

/** How many of six clients each step serves at the same time. */
const together = [1, crowd, 3, crowd, crowd]

for (const [index, served] of together.entries()) {
  const [, ...args] = commands[index]!
  const engine = args[args.indexOf('--engine') + 1] as 'node' | 'uring' | 'blocking'

  const skip = refusal(engine) || (served !== 3 && onlyFull)
  test(`step ${index + 1} serves ${served} of six`, { skip }, async () => {
    const words = args.map(word => (word === '--dashboard' ? '--dashboard=127.0.0.1:0' : word))
    const { program, url } = await yodelServe(...words)
    await using _ = program
    const port = portOf(url)
    let echoed = 0
    const clients = await Promise.all(Array.from({ length: crowd }, () => dial({ port })))
    const all = clients.map(client => echo(client, 'hello').then(() => echoed++))
    await until(() => echoed === served)
    const [, link] = await program.says(/dashboard on (\S+)/)
    // Those without an echo wait in the queue, and it is no question of time.
    await until(async () => {
      const history = await (await fetch(`${link}api/history`)).json()
      const { open, waiting } = (history as { open: number; waiting: number }[]).at(-1) ?? {}
      return open === served && waiting === crowd - served
    })
    assert.equal(echoed, served)
    // Each that leaves makes room for one that waits, whichever that is.
    for (const [place, its] of all.entries()) {
      void its.then(() => clients[place]!.destroy())
    }
    await Promise.all(all)
  })
}

test('the crowd says when each had its echo, and draws it', async () => {
  const { program, url } = await yodelServe('--engine', 'node', '--concurrency', '1')
  await using _ = program
  const args = [`${root}build/examples/crowd.js`, `${portOf(url)}`, '20']
  await using visit = new Program(process.execPath, args, 'ignore')
  const { code, stdout } = await visit.finished
  assert.equal(code, 0)
  const lines = stdout.toString().trimEnd().split('\n')
  assert.equal(lines.filter(line => /^client \d has its echo after [\d.]+ s$/.test(line)).length, 6)
  const drawn = lines.filter(line => /^client \d {2}/.test(line))
  assert.equal(drawn.length, 6)
  // Each waits until the one before it has left; both are rounded.
  const bars = drawn.map(line => [line.split('─').length - 1, line.split('█').length - 1] as const)
  for (const [place, [waited]] of bars.entries()) {
    const [itsWait, itsStay] = bars[place - 1] ?? [0, 0]
    assert.ok(waited >= itsWait + itsStay - 1, drawn.join('\n'))
  }
  assert.match(lines.at(-1)!, /^All have gone after/)
})
