/**
 * npm run bench:http: requests per second of `bench http://` beside those of wrk, h2load and ab,
 * whichever of them are installed, as closed loops of one thread on the same server; and whether a
 * rate below the best of them is said to be the generator's.
 *
 *   npm run bench:http -- [--rounds 5] [--seconds 2] [--connections 50]
 *
 * Only yodel compares what comes back. Nothing is pinned. The servers: one in C that hardly works
 * (controls/c/http.c), so that the generators are the limit; and `yodel serve`.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { builtFolder, prepare, startContestant, type Contestant } from './contestants.ts'
import { median } from './figures.ts'

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    connections: { type: 'string', default: '50' },
  },
})
const main = new URL('../../dist/cli/main.js', import.meta.url).pathname
const [rounds, seconds] = [Number(flags.rounds), flags.seconds]
const sizeBytes = 64

mkdirSync(builtFolder, { recursive: true })
const [body, script] = [`${builtFolder}body`, `${builtFolder}post.lua`]
writeFileSync(body, 'x'.repeat(sizeBytes))
writeFileSync(script, `wrk.method = "POST"\nwrk.body = string.rep("x", ${sizeBytes})\n`)

interface Found {
  perSecond: number
  /** Yodel: of the busiest thread, and whether it says that it was the limit. */
  cpuShare?: number
  saidLimit?: boolean
}

interface Generator {
  command: (url: string) => string[]
  read: (text: string) => Found
}

const said = (pattern: RegExp) => (text: string) => ({ perSecond: Number(pattern.exec(text)![1]) })
const many = ['-c', flags.connections]
const generators: Record<string, Generator> = {
  wrk: {
    command: url => ['wrk', '-t1', ...many, `-d${seconds}s`, '-s', script, url],
    read: said(/Requests\/sec:\s+([\d.]+)/),
  },
  h2load: {
    command: url => ['h2load', '--h1', '-t1', ...many, '-D', seconds, '-d', body, url],
    read: said(/finished in .*?, ([\d.]+) req\/s/),
  },
  ab: {
    // It stops at 50,000 requests unless a greater number comes after the time.
    command: url => {
      const much = ['-t', seconds, '-n', '10000000', '-p', body]
      return ['ab', '-q', '-k', ...many, ...much, '-T', 'application/octet-stream', url]
    },
    read: said(/Requests per second:\s+([\d.]+)/),
  },
  yodel: {
    command: url => {
      const load = ['--connections', flags.connections, '--size', String(sizeBytes)]
      const times = ['--duration', `${seconds}s`, '--warmup', '1s', '--json']
      return [process.execPath, main, 'bench', url, ...load, ...times]
    },
    read: text => {
      const { rates, generator, invalidBecause, notes } = JSON.parse(text) as {
        rates: { achievedPerSecond: number }
        generator: { cpuShare: number }
        invalidBecause: string[]
        notes: string[]
      }
      return {
        perSecond: rates.achievedPerSecond,
        cpuShare: generator.cpuShare,
        saidLimit: [...invalidBecause, ...notes].some(said => said.includes('generator')),
      }
    },
  },
}
for (const name of Object.keys(generators))
  if (name !== 'yodel' && spawnSync('which', [name]).status !== 0) {
    console.log(`${name} is not installed`)
    delete generators[name]
  }

const cPath = `${builtFolder}http`
const servers: Contestant[] = [
  {
    name: 'c http',
    needs: ['cc'],
    build: [['cc', '-O2', '-o', cPath, 'c/http.c']],
    run: [cPath],
    version: ['cc', '--version'],
  },
  {
    name: 'yodel serve',
    needs: [],
    run: [process.execPath, main, 'serve'],
    version: [process.execPath, '--version'],
  },
]

async function run({ command, read }: Generator, url: string): Promise<Found> {
  const [program, ...args] = command(url)
  const running = spawn(program!, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  let text = ''
  running.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  await once(running, 'close')
  return read(text)
}

for (const server of servers) {
  const ready = prepare(server)
  if (typeof ready === 'string') {
    console.log(`\n${server.name} is left out: ${ready}`)
    continue
  }
  const found = new Map<string, Found[]>(Object.keys(generators).map(name => [name, []]))
  const running = await startContestant(server, { anywhere: true, scheme: 'http://127.0.0.1' })
  for (let round = 0; round < rounds; round++)
    for (const [name, generator] of Object.entries(generators))
      found.get(name)!.push(await run(generator, `http://127.0.0.1:${running.port}/`))
  await running.stop()
  console.log(`\n### ${server.name}: ${flags.connections} connections, ${sizeBytes} B`)
  console.log(`(medians of ${rounds} rounds of ${seconds} s)\n`)
  console.log('| generator | requests/s | to the best other | busy | said to be the limit |')
  console.log('| --- | ---: | ---: | ---: | ---: |')
  const rate = (name: string) => median(found.get(name)!.map(({ perSecond }) => perSecond))
  const others = Object.keys(generators).filter(name => name !== 'yodel')
  const best = Math.max(...others.map(rate))
  for (const [name, all] of found) {
    const busy =
      all[0]!.cpuShare === undefined ? '' : median(all.map(of => of.cpuShare!)).toFixed(2)
    const limits = all.filter(({ saidLimit }) => saidLimit).length
    const limit = all[0]!.saidLimit === undefined ? '' : `${limits} of ${rounds}`
    const figures = [rate(name).toFixed(0), (rate(name) / best).toFixed(2), busy, limit]
    console.log(`| ${[name, ...figures].join(' | ')} |`)
  }
}
