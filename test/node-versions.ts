/** Other versions of Node, which npm fetches. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

/** Words for `npm install`. */
export const quietly = ['--no-save', '--no-audit', '--no-fund', '--loglevel=error']

/** @returns where the program is, below this folder */
export function fetchNode(version: string, folder: string): string {
  output('npm', ['install', '--prefix', folder, ...quietly, `node@${version}`])
  return join(folder, 'node_modules', 'node', 'bin', 'node')
}

/** @throws if it fails */
export function output(command: string, args: string[], env = process.env): string {
  const { status, error, stdout } = spawnSync(command, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
    env,
  })
  if (error ?? status !== 0)
    throw new Error(`${command} ${args.join(' ')} failed`, { cause: error })
  return stdout.trim()
}
