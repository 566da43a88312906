/** Reads saved results, and explains why a file cannot be read or written. */
import { readFileSync } from 'node:fs'
import { usageError } from '../vocabulary/errors.ts'
import { readDocument, readResult } from '../report/read.ts'
import type { RunResult } from '../report/result.ts'
import type { Rounds } from '../report/rounds.ts'

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

/** @throws UserError if it cannot be read, or is not a result; `-` is stdin */
export const readSaved = (path: string): RunResult => readResult(contentOf(path), fileNameOf(path))

/** A result, or rounds of them. @throws UserError as readSaved() does */
export const readEither = (path: string): RunResult | Rounds =>
  readDocument(contentOf(path), fileNameOf(path))

export const fileNameOf = (path: string) => (path === '-' ? 'stdin' : path)

/** @throws UserError if it cannot be read */
export function contentOf(path: string): string {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8')
  } catch (error) {
    throw cannot('read', path, error)
  }
}

/** The error of a file as a sentence. */
export function cannot(verb: 'read' | 'write', path: string, error: unknown) {
  const { code, message } = error as NodeJS.ErrnoException
  const [cause, hint] = reasons[code ?? ''] ?? [code ?? message, '']
  return usageError(`Cannot ${verb} ${path}: ${cause}.`, hint)
}
