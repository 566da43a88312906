/** Reads saved results, and explains why a file cannot be read or written. */
import { readFile } from 'node:fs'
import { promisify } from 'node:util'
import { usageError } from '../vocabulary/errors.ts'
import { readDocument, readResult } from '../report/read.ts'
import type { RunResult } from '../report/result.ts'
import type { Rounds } from '../report/rounds.ts'
import { forgetInterrupts, heedWhileReading } from './output.ts'

const reasons: Record<string, [cause: string, hint: string]> = {
  ENOENT: ['there is no such file or folder', 'Check the path.'],
  ENOTDIR: ['a part of its path is not a folder', 'Check the path.'],
  EISDIR: ['it is a folder', 'Name a file.'],
  EACCES: ['permission denied', 'Choose another place, or check its permissions.'],
  EPERM: ['permission denied', 'Choose another place, or check its permissions.'],
  EROFS: ['the file system is read-only', 'Choose another place.'],
  EBUSY: ['it is in use', 'Choose another place.'],
  ENXIO: ['no process reads from it', 'Start its reader first.'],
  ESOCKTNOSUPPORT: ['it is a socket', 'Name a file, or a FIFO.'],
  EPIPE: ['its reader has gone', 'Start it again.'],
  EDQUOT: ['the quota is used up', 'Free some space, or choose another place.'],
  ELOOP: ['its links lead nowhere', 'Check the path.'],
  ENAMETOOLONG: ['the name is too long', 'Choose a shorter one.'],
  ENOSPC: ['the disk is full', 'Free some space, or choose another place.'],
}

/**
 * Reads a result; `-` is stdin.
 * @throws UserError if the file cannot be read, or is not a result
 */
export const readSaved = async (path: string): Promise<RunResult> =>
  readResult(await contentOf(path), fileNameOf(path))

/**
 * Reads the files one after the other, since more than one may be stdin.
 * @throws UserError as readSaved() does
 */
export async function readAllSaved(paths: readonly string[]): Promise<RunResult[]> {
  const results: RunResult[] = []
  for (const path of paths) results.push(await readSaved(path))
  return results
}

/**
 * Reads a result, or rounds.
 * @throws UserError as readSaved() does
 */
export const readEither = async (path: string): Promise<RunResult | Rounds> =>
  readDocument(await contentOf(path), fileNameOf(path))

export const fileNameOf = (path: string) => (path === '-' ? 'stdin' : path)

const read = promisify(readFile)

/** @throws UserError if the file cannot be read */
export async function contentOf(path: string): Promise<string> {
  heedWhileReading()
  try {
    return await read(path === '-' ? 0 : path, 'utf8')
  } catch (error) {
    throw cannot('read', path, error)
  } finally {
    forgetInterrupts()
  }
}

/** The error for a file that cannot be read or written. */
export function cannot(verb: 'read' | 'write', path: string, error: unknown) {
  const { code, message } = error as NodeJS.ErrnoException
  const [cause, hint] = reasons[code ?? ''] ?? [code ?? message, '']
  return usageError(`Cannot ${verb} ${path}: ${cause}.`, hint)
}
