/** The image: built where something builds images, else its steps are done in empty folders. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, rmSync } from 'node:fs'
import { after, test } from 'node:test'
import { dial, echo } from './client.ts'
import { instructions, listSaid, replay, said } from './container.ts'
import { onlyFull } from './full.ts'
import { portOf, Program, root, yodelPath } from './program.ts'

const entrypoint = listSaid('ENTRYPOINT')

/** What the image does without arguments, at free ports of the loopback. */
const serving = listSaid('CMD').map(word => word.replace(/0\.0\.0\.0:\d+$/, '127.0.0.1:0'))
const healthPort = listSaid('CMD').at(-1)!.split(':').at(-1)!

/** The image's check, of a server with this port. @returns its exit code */
function checkHealth(port: number): number | null {
  const [node, ...words] = listSaid('HEALTHCHECK')
  assert.equal(node, 'node')
  const own = words.map(word => word.replace(`:${healthPort}/`, `:${port}/`))
  assert.notDeepEqual(own, words)
  return spawnSync(process.execPath, own).status
}

/** A root that is read-only, as in `docker run --read-only`. */
const readOnly = ['--mount', 'sh', '-c', 'mount -o remount,bind,ro / && exec "$@"', 'sh']
const unshare = (...command: string[]) => ['--map-root-user', ...readOnly, ...command]
const touch = `! touch ${root}build/read-only 2>/dev/null`
const mayRemount = spawnSync('unshare', unshare('sh', '-c', touch))
const skip = mayRemount.status === 0 ? false : 'the root cannot be made read-only here'

/** Serves, is healthy, echoes and ends; then it is not healthy. */
async function lives(program: Program): Promise<void> {
  const [, url] = await program.says(/listening on (tcp:\S+)/)
  const [, health] = await program.says(/health on \S+:(\d+)/)
  const port = Number(health)
  const socket = await dial({ port: portOf(url!), host: '127.0.0.1' })
  assert.equal(await echo(socket, 'hello'), 'hello')
  socket.destroy()
  assert.equal(checkHealth(port), 0)
  program.kill()
  assert.equal((await program.finished).code, 0)
  assert.equal(checkHealth(port), 1)
}

test('the image runs without root, and says how healthy it is', () => {
  const [user, group] = said('USER').split(':').map(Number)
  assert.ok(user! > 0 && group! > 0)
  assert.deepEqual(entrypoint, ['node', '/opt/yodel/dist/cli/main.js'])
  // Whatever an image is made of comes from this repository, the base, and npm.
  assert.ok(instructions.every(([keyword]) => keyword !== 'ADD'))
})

test('what it does needs no file that can be written', { skip }, async () => {
  await lives(new Program('unshare', unshare(process.execPath, yodelPath, ...serving), 'ignore'))
})

const builder = ['podman', 'docker'].find(name => spawnSync(name, ['info']).status === 0)
const folders: string[] = []
after(() => folders.forEach(folder => rmSync(folder, { recursive: true, force: true })))

test(
  'its steps make a package that serves, without what only building needs',
  { skip: builder ? `${builder} builds it` : onlyFull },
  async () => {
    const made = replay()
    folders.push(...made.folders)
    const path = `${made.folder}${entrypoint[1]!}`
    for (const name of ['typescript', 'vite', 'playwright-core'])
      assert.equal(existsSync(`${made.folder}/opt/yodel/node_modules/${name}`), false)
    for (const folder of made.folders) chmodSync(folder, 0o755)
    const [user, group] = said('USER').split(':')
    const asUser = ['--reuid', user!, '--regid', group!, '--clear-groups']
    const command = [process.execPath, path, ...serving]
    // Another user is something only root can be.
    if (process.getuid?.() === 0)
      await lives(new Program('setpriv', [...asUser, ...command], 'ignore'))
    else await lives(new Program(command[0]!, command.slice(1), 'ignore'))
  },
)

test('a builder makes the image', { skip: builder ? onlyFull : 'no builder is there' }, () => {
  const run = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(builder!, args, { cwd: root, encoding: 'utf8' })
    assert.equal(status, 0, stderr)
    return stdout
  }
  const tag = `yodel-test-${process.pid}`
  run('build', '-f', 'Containerfile', '-t', tag, '.')
  try {
    assert.match(run('run', '--rm', '--read-only', tag, '--version', '-v'), /^yodel +\d/)
  } finally {
    run('rmi', tag)
  }
})
