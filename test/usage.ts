/** Commands that stand in files of deploy/: whether the program has their options. */
import assert from 'node:assert/strict'
import type { createTypist } from './typist.ts'

/** @returns the flags among the words that `yodel COMMAND --help` does not list */
export async function flagsUnknownTo(
  typed: ReturnType<typeof createTypist>,
  words: readonly string[],
): Promise<string[]> {
  const [command = '', ...rest] = words
  const { code, stdout } = await typed([command, '--help'])
  assert.equal(code, 0, `yodel ${command}`)
  assert.match(stdout, new RegExp(`^Usage: yodel ${command} `))
  const known: string[] = stdout.match(/(?<=^ .*)--[\w-]+/gm) ?? []
  return rest.filter(word => word.startsWith('-') && !known.includes(word))
}
