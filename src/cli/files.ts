/** Saved results: read again, and written whole or not at all. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { usageError } from '../errors.ts'
import { readResult } from '../report/read.ts'
import type { RunResult } from '../report/result.ts'

/** @throws UserError if it cannot be written; then what was there is as it was */
export function save(path: string, text: string): void {
  let unfinished: string | undefined
  try {
    const target = targetOf(path)
    const beside = `${target}.${process.pid}.tmp`
    const file = openSync(beside, 'wx')
    unfinished = beside
    try {
      writeFileSync(file, text)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(beside, target)
  } catch (error) {
    if (unfinished !== undefined) rmSync(unfinished, { force: true })
    throw cannot('write', path, error)
  }
}

/** Where a link points to: it stays a link. */
function targetOf(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

const reasons: Record<string, [cause: string, hint: string]> = {
  ENOENT: ['there is no such file or folder', 'Check the path.'],
  ENOTDIR: ['a part of its path is no folder', 'Check the path.'],
  EISDIR: ['it is a folder', 'Name a file.'],
  EACCES: ['permission denied', 'Choose another place, or check its permissions.'],
  EPERM: ['permission denied', 'Choose another place, or check its permissions.'],
  EROFS: ['the file system is read-only', 'Choose another place.'],
  ENOSPC: ['the disk is full', 'Free some space, or choose another place.'],
}

/**
 * Before minutes are spent on what could not be written. Leaves nothing behind.
 * @throws UserError
 */
export function checkWritable(path: string): void {
  const target = targetOf(path)
  const isNew = !existsSync(target)
  try {
    closeSync(openSync(target, 'a'))
  } catch (error) {
    throw cannot('write', path, error)
  }
  if (isNew) rmSync(target, { force: true })
}

/** @throws UserError if it cannot be read, or is no result; `-` is stdin */
export function readSaved(path: string): RunResult {
  let text: string
  try {
    text = readFileSync(path === '-' ? 0 : path, 'utf8')
  } catch (error) {
    throw cannot('read', path, error)
  }
  return readResult(text, path === '-' ? 'stdin' : path)
}

/** The error of a file as a sentence. */
export function cannot(verb: 'read' | 'write', path: string, error: unknown) {
  const { code, message } = error as NodeJS.ErrnoException
  const [cause, hint] = reasons[code ?? ''] ?? [code ?? message, '']
  return usageError(`Cannot ${verb} ${path}: ${cause}.`, hint)
}
