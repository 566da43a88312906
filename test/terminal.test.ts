/** The prompt of the real `yodel connect` lends its terminal, and gives it back however it ends. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { serve, type Server } from 'yodel'
import { onlyFull, short } from './full.ts'
import { missing, yodelPath } from './program.ts'
import { inTerminal, noTerminal as skip } from './terminals.ts'

let servers: Server[]
before(async () => {
  const urls = short(['127.0.0.1:0', 'udp://127.0.0.1:0'], ['127.0.0.1:0'])
  servers = await Promise.all(urls.map(url => serve(url)))
})
after(() => Promise.all(servers.map(server => server.close('now'))))

const yodel = `'${process.execPath}' '${yodelPath}' connect`

test(
  'Ctrl-Z gives the terminal to the shell; after fg the prompt goes on, over bytes and datagrams',
  { skip: skip || missing('bash') },
  async () => {
    await Promise.all(
      servers.map(async ({ url }) => {
        await using shell = inTerminal('bash', '--norc', '--noprofile', '-i')
        const type = (keys: string) => shell.child.stdin!.write(keys)
        type(`PS1='ready: '; ${yodel} ${url}\r`)
        await shell.says(/ends\.\r\n.*> /)
        type('hello\r')
        await shell.says(/< hello {2}/)
        type('unfinished\u001a')
        await shell.says(/Stopped[^]*ready: /)
        type('stty -a\r')
        await shell.says(/ icanon [^]* echo [^]*ready: /)
        type('fg\r')
        await shell.says(/fg\r\n[^]*> unfinished/)
        type('!\r')
        await shell.says(/< unfinished! {2}/)
        type('\u001a')
        await shell.says(/Stopped[^]*Stopped[^]*ready: /)
        type('fg\r')
        await shell.says(/fg\r\n[^]*fg\r\n[^]*> /)
        type('\u0003')
        await shell.says(/yodel: interrupted; 2 lines, 18 bytes|yodel: interrupted; 2 datagrams/)
        type('exit\r')
        await shell.finished
      }),
    )
  },
)

test('whatever ends it, a defect too, gives the terminal back', { skip }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'yodel-'))
  const [defect, run] = [join(folder, 'defect.cjs'), join(folder, 'run.sh')]
  // A defect: something is thrown where no code catches it, also null.
  const misdeeds = `
    process.on('SIGURG', () => { throw new Error('unforeseen') })
    process.on('SIGWINCH', () => { throw null })`
  writeFileSync(defect, misdeeds)
  writeFileSync(run, `echo pid $$; NODE_OPTIONS='--require ${defect}' exec ${yodel} "$1"`)
  const rows: [signal: NodeJS.Signals, code: number, said: RegExp][] = [
    ['SIGHUP', 129, /status/],
    ['SIGQUIT', 131, /status/],
    ['SIGUSR2', 140, /status/],
    ['SIGPROF', 155, /status/],
    ['SIGTERM', 130, /\r\nyodel: interrupted; 0 lines, /],
    ['SIGWINCH', 70, /yodel: a defect of yodel, please report it: null\r\n/],
    ['SIGURG', 70, /yodel: a defect of yodel, please report it: Error: unforeseen\r\n +at /],
  ]
  const [bytes, datagrams] = servers.map(({ url }) => url)
  const all = [[datagrams, ...rows[0]!] as const, ...rows.map(row => [bytes, ...row] as const)]
  // A signal that is expected, and a defect.
  const tries = short(all, [...all.slice(5, 6), ...all.slice(-1)])
  await Promise.all(
    tries.map(async ([url, signal, code, said]) => {
      // The status of signals is 128 and the number, as shells have it.
      const script = `ulimit -c 0; sh '${run}' ${url}; echo status $?; stty -a`
      await using program = inTerminal('sh', '-c', script)
      const [, pid] = await program.says(/pid (\d+)[^]*> /)
      process.kill(Number(pid), signal)
      const { stdout } = await program.finished
      const shown = stdout.toString()
      assert.match(shown, said)
      assert.match(shown, new RegExp(`status ${code}\r\n`), `${signal}: ${shown}`)
      assert.match(shown, /[\s;]icanon [^]*[\s;]echo /, `${signal}: ${shown}`)
    }),
  )
  rmSync(folder, { recursive: true })
})

const goesAway = 'a terminal that goes away ends it by SIGHUP, without a word'
test(goesAway, { skip: skip || onlyFull }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'yodel-'))
  await Promise.all(
    servers.map(async ({ url, address: { transport } }) => {
      const said = join(folder, transport)
      await using program = inTerminal('sh', '-c', `exec ${yodel} ${url} 2>'${said}'`)
      await program.says(/> /)
      program.child.kill('SIGUSR2')
      const { code } = await program.finished
      assert.equal(readFileSync(said, 'utf8'), '', transport)
      assert.equal(code, 129, transport)
    }),
  )
  rmSync(folder, { recursive: true })
})
