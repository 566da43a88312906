/** The package as npm packs and installs it: what is in it, and that every command works. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { freePort, until } from './client.ts'
import { onlyFull } from './full.ts'
import { fetchNode, output, quietly } from './node-versions.ts'
import { Program, root } from './program.ts'

const manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as {
  engines: { node: string }
  exports: Record<string, string | object>
  scripts: Record<string, string>
}

const folder = mkdtempSync(join(tmpdir(), 'yodel-package-'))
after(() => rmSync(folder, { recursive: true }))

/** `npm pack` with these arguments, and what it says. */
function pack(...args: string[]): { filename: string; files: { path: string }[] } {
  // What prepack does is done: the tests run what it builds.
  const words = ['pack', '--json', '--ignore-scripts', ...args]
  const npm = { cwd: root, encoding: 'utf8', shell: process.platform === 'win32' } as const
  const [packed] = JSON.parse(execFileSync('npm', words, npm)) as ReturnType<typeof pack>[]
  return packed!
}

test('the package has what it names, its documentation, and no tests', { skip: onlyFull }, () => {
  const files = pack('--dry-run').files.map(({ path }) => path)
  const needed = ['dist/cli/main.js', 'dist/index.d.ts', 'dist/page/index.html', 'LICENSE']
  needed.push('README.md', 'CHANGELOG.md', 'SECURITY.md', 'docs/serve.md', 'docs/grafana.json')
  for (const path of needed) assert.ok(files.includes(path), path)
  assert.deepEqual(
    files.filter(path =>
      /^dist.*\.(test|suite)\.|tsbuildinfo|^(src|test|build|site|node_modules)\//.test(path),
    ),
    [],
  )
})

test('nothing is published without the place where the project is', async () => {
  const script = `${root}.ci/may-publish.js`
  const publish = (named: object) => {
    writeFileSync(join(folder, 'package.json'), JSON.stringify(named))
    return new Program(process.execPath, [script], 'ignore', { cwd: folder }).finished
  }
  const refused = await publish({ name: 'made' })
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /has no `repository`/)
  assert.equal((await publish({ repository: 'github:made/made' })).code, 0)
  assert.equal(manifest.scripts['prepublishOnly'], 'node .ci/may-publish.js')
})

test('what the package exports is there', () => {
  for (const [name, target] of Object.entries(manifest.exports)) {
    const asked = name.replace(/^\./, 'yodel').replace('*', 'result.json')
    const path = fileURLToPath(import.meta.resolve(asked))
    assert.ok(existsSync(path), asked)
    if (typeof target === 'string') JSON.parse(readFileSync(path, 'utf8'))
  }
})

interface Job {
  strategy?: { matrix: { os: string[]; node: string[] } }
  steps: { run?: string }[]
}

test('the workflow runs scripts that are there, from the oldest Node on', () => {
  const path = `${root}.github/workflows/test.yml`
  const { jobs } = parse(readFileSync(path, 'utf8')) as { jobs: Record<string, Job> }
  const { os, node } = jobs['test']!.strategy!.matrix
  assert.deepEqual(
    os.map(name => name.split('-')[0]),
    ['ubuntu', 'macos', 'windows'],
  )
  assert.equal(node[0], /\d+/.exec(manifest.engines.node)![0])
  const commands = Object.values(jobs).flatMap(({ steps }) => steps.flatMap(({ run }) => run ?? []))
  for (const command of commands) {
    const [, file] = /bash (\S+)$/.exec(command) ?? []
    const [, script = ''] = /^npm (?:run )?(\S+)$/.exec(command) ?? []
    const isThere = file
      ? existsSync(root + file)
      : ['ci', ...Object.keys(manifest.scripts)].includes(script)
    assert.ok(isThere, command)
  }
})

test('types and code are found alike', { skip: onlyFull }, async () => {
  const { checkPackage, createPackageFromTarballData } = await import('@arethetypeswrong/core')
  const { filename } = pack('--pack-destination', folder)
  const data = new Uint8Array(readFileSync(join(folder, filename)))
  const result = await checkPackage(createPackageFromTarballData(data), { entrypoints: ['.'] })
  assert.ok(result.types)
  // It is ESM only. As of Node 20.19, require() takes that, too.
  const old = ['node10', 'node16-cjs']
  const problems = result.problems.filter(
    problem => !('resolutionKind' in problem && old.includes(problem.resolutionKind)),
  )
  assert.deepEqual(problems, [])
})

/** A command, what is piped into it, and what it has to print. */
type Use = [args: string[], input: string, printed: RegExp]

/** Each command once, with a server at `url`. */
function uses(url: string, dashboard: string, file: (name: string) => string): Use[] {
  const brief = ['--count', '20', '--warmup', '0']
  const parts = [1, 2].map(n => [file(`part${n}.json`), `${n}/2`] as const)
  return [
    [['connect', url], 'hello', /^hello$/],
    [['flood', url, '--count', '10'], '', /10 verified/],
    [['bench', url, ...brief, '--output', file('run.json')], '', /20 verified/],
    [['check', url, '--only', 'bytes'], '', /bytes +ok/],
    [['report', file('run.json')], '', /20 verified/],
    ...parts.map(([path, slice]): Use => {
      const words = ['--connections', '2', '--slice', slice, '--output', path]
      return [['bench', url, ...brief, ...words], '', /10 verified/]
    }),
    [['merge', ...parts.map(([path]) => path)], '', /20 verified/],
    [
      ['bench', url, '--against', url, '--rounds', '4', ...brief, '--output', file('rounds.json')],
      '',
      /rounds from/,
    ],
    [['compare', file('rounds.json')], '', /rounds from/],
    [['compare-engines', '--rounds', '1', '--duration', '100ms', '--models', 'node'], '', /event/],
    [['ctl', 'snapshot', '--url', dashboard], '', /tcp:\/\//],
    [['completion', 'bash'], '', /complete -F _yodel yodel/],
    [['man'], '', /^\.TH YODEL 1/],
  ]
}

/** Two agents, and a look at them while they wait. */
async function useAgents(yodel: (args: string[]) => Program, url: string): Promise<Use[]> {
  const broker = `mqtt://127.0.0.1:${await freePort()}`
  const load = ['--connections', '2', '--count', '20', '--warmup', '0']
  await using lead = yodel(['bench', url, ...load, '--agents', '2', '--broker-listen', broker])
  await using one = yodel(['agent', broker, '--once', '--name', 'one'])
  const list = ['agents', '--broker', broker]
  await until(async () => /one: idle/.test((await yodel(list).finished).stdout.toString()))
  await using two = yodel(['agent', broker, '--once', '--name', 'two'])
  const { stdout, stderr } = await lead.finished
  assert.match(stdout.toString(), /20 verified/, stderr)
  for (const agent of [one, two]) assert.equal((await agent.finished).code, 0)
  return [
    [['agent'], '', /./],
    [list, '', /./],
  ]
}

for (const version of ['the same', '24'])
  test(`npm i -g, and every command: Node ${version}`, { skip: onlyFull }, async () => {
    const own = join(folder, version.replace(' ', '-'))
    mkdirSync(own)
    const node = version === 'the same' ? process.execPath : fetchNode(version, own)
    const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env['PATH']}` }
    const tarball = join(folder, pack('--pack-destination', folder).filename)
    const prefix = join(own, 'prefix')
    output('npm', ['install', '--global', '--prefix', prefix, ...quietly, tarball], env)
    const installed = join(prefix, 'bin', 'yodel')
    const yodel = (args: string[], input = 'ignore') =>
      new Program('env', [`PATH=${env.PATH}`, installed, ...args], input)

    const details = await yodel(['--version', '-v']).finished
    assert.match(
      details.stdout.toString(),
      new RegExp(`^node +${output(node, ['-p', 'process.versions.node'])}$`, 'm'),
    )
    await using server = yodel(['serve', ':0', '--dashboard=127.0.0.1:0'])
    const [, url] = await server.says(/listening on (\S+)/)
    const [, dashboard] = await server.says(/dashboard on (\S+)/)
    const used = uses(url!, dashboard!, name => join(own, name))
    for (const [args, input, printed] of used) {
      const { code, stdout, stderr } = await yodel(args, input || 'ignore').finished
      // 4: on a busy machine a figure may not be valid, and that is not what is tested here.
      assert.ok(code === 0 || code === 4, `${args.join(' ')}: ${stderr}`)
      assert.match(stdout.toString(), printed, args.join(' '))
    }
    used.push(...(await useAgents(yodel, url!)))
    const { stdout: help } = await yodel(['--help']).finished
    const listed = [...help.toString().matchAll(/^ {2}([a-z][a-z-]+) \[/gm)].map(
      ([, name]) => name!,
    )
    const missing = listed.filter(name => used.every(([[command]]) => command !== name))
    assert.deepEqual(missing, ['serve', 'help'])
  })
