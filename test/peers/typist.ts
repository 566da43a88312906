/**
 * The command line of yodel without a program for each command: every line on stdin has arguments
 * and variables of its environment, and is answered with what was printed and the exit code, as
 * JSON.
 */
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import type * as CommandLine from '../../src/cli/command-line.ts'
import type { Finished } from '../program.ts'
import { root } from '../program.ts'

const path = pathToFileURL(`${root}dist/cli/command-line.js`).href
const { obey } = (await import(path)) as typeof CommandLine

const answer = process.stdout.write.bind(process.stdout)
const own = process.env
let [stdout, stderr] = ['', '']
process.stdout.write = (text: string | Uint8Array) => Boolean((stdout += String(text)) || true)
process.stderr.write = (text: string | Uint8Array) => Boolean((stderr += String(text)) || true)

for await (const line of createInterface(process.stdin)) {
  ;[stdout, stderr, process.exitCode] = ['', '', undefined]
  const { args, env } = JSON.parse(line) as { args: string[]; env?: Record<string, string> }
  process.env = { ...own, ...env }
  await obey(args)
  const typed: Typed = { code: (process.exitCode as number | undefined) ?? 0, stdout, stderr }
  answer(`${JSON.stringify(typed)}\n`)
}
process.exitCode = 0

/** How a command ended, and what it printed. */
export interface Typed extends Pick<Finished, 'stderr'> {
  code: number
  stdout: string
}
