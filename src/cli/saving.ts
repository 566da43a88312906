/** Writes results into files: whole or not at all. The file keeps its kind, owner and mode. */
import {
  accessSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
  type Stats,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { usageError, UserError } from '../vocabulary/errors.ts'
import { exitCodes } from './exit.ts'
import { cannot } from './files.ts'
import { print, tell } from './output.ts'

/** A flag of open(2): create a new file, and fail if a file of that name exists. */
const fresh = 'wx'
/** After these errors the file is not written in place: that would cut off its old content. */
const hopeless = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP'])

/** A file to write; its content is made when it is written. */
export interface SavedFile {
  path: string
  text: () => string
  /** Whether to print nothing unless something fails. */
  silent?: boolean
}

/**
 * Writes each file, even if others fail. If one fails, the exit code says so.
 * @param rescue is printed if writing fails, so that nothing is lost; undefined if it was printed
 * already
 */
export function saveAll(outputs: readonly SavedFile[], rescue?: () => string): void {
  const failures: unknown[] = []
  for (const { path, text, silent } of outputs) {
    try {
      save(path, text())
      if (!silent) tell(`wrote ${path}`)
    } catch (error) {
      failures.push(error)
      if (error instanceof UserError) tell(`${error.message} ${error.hint}`.trim())
    }
  }
  if (failures.length === 0) return
  process.exitCode = exitCodes.usage
  if (rescue) {
    tell('the result is on stdout instead, as JSON')
    print(rescue())
  }
  const defect = failures.find(error => !(error instanceof UserError))
  if (defect !== undefined) throw defect
}

/**
 * Writes a result into each file, in the format of its name.
 * @param rescue the same as for saveAll()
 */
export async function saveResult<A extends unknown[]>(
  files: readonly { path: string; format: () => Promise<(...of: A) => string> }[],
  of: A,
  rescue?: () => string,
): Promise<void> {
  const outputs = files.map(async ({ path, format }) => {
    const write = await format()
    return { path, text: () => write(...of) }
  })
  saveAll(await Promise.all(outputs), rescue)
}

/**
 * Replaces the file by a complete one. If that is not possible, it writes in place: into a file
 * that is mounted or hard-linked, lies in a folder that is read-only, or is not a file (a FIFO, a
 * device).
 * @throws UserError if it cannot be written; then an existing file is unchanged
 */
function save(path: string, text: string): void {
  try {
    const there = statOf(path)
    const own = there && standardOf(there)
    if (own) own.write(text)
    else if (there && !there.isFile()) pour(path, there, text)
    else put(targetOf(path), there, text)
  } catch (error) {
    throw cannot('write', path, error)
  }
}

function put(target: string, there: Stats | undefined, text: string) {
  try {
    if (there && there.nlink > 1) overwrite(target, text)
    else replace(target, there, text)
  } catch (error) {
    if (!there || there.nlink > 1 || hopeless.has(codeOf(error))) throw error
    overwrite(target, text)
  }
}

function replace(target: string, there: Stats | undefined, text: string) {
  const beside = `${target}.${process.pid}.tmp`
  const file = openSync(beside, fresh)
  try {
    try {
      if (there) alike(file, there)
      writeFileSync(file, text)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(beside, target)
  } catch (error) {
    rmSync(beside, { force: true })
    throw error
  }
}

/** Keeps owner and mode. A process that may not change the owner writes into the old file. */
function alike(file: number, { uid, gid, mode }: Stats) {
  const mine = fstatSync(file)
  if (mine.uid !== uid || mine.gid !== gid) fchownSync(file, uid, gid)
  if (mine.mode !== mode) fchmodSync(file, mode & 0o7777)
}

/** Writes the old content back if there is no room for the new one. */
function overwrite(target: string, text: string) {
  const old = readFileSync(target)
  const file = openSync(target, 'r+')
  const write = (data: Buffer) => {
    for (let at = 0; at < data.length;) at += writeSync(file, data, at, data.length - at, at)
    ftruncateSync(file, data.length)
  }
  try {
    try {
      write(Buffer.from(text))
    } catch (error) {
      write(old)
      throw error
    }
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** Refuses a socket, which cannot be opened (ENXIO), unless it is our own stdout. */
function refuseSocket(there: Stats) {
  if (there.isSocket() && !standardOf(there))
    throw Object.assign(new Error('a socket'), { code: 'ESOCKTNOSUPPORT' })
}

/** Writes into a pipe or a device. */
function pour(path: string, there: Stats, text: string) {
  refuseSocket(there)
  const probe = there.isFIFO() ? openWithReader(path) : undefined
  try {
    const file = openSync(path, constants.O_WRONLY)
    try {
      writeFileSync(file, text)
    } finally {
      closeSync(file)
    }
  } finally {
    if (probe !== undefined) closeSync(probe)
  }
}

/** How long a reader that starts at the same time may take to open its end. */
const readerMs = 1_000

/**
 * Opens a FIFO without blocking. Without a reader that fails (ENXIO); a blocking open would wait
 * for ever.
 */
function openWithReader(path: string): number {
  const endMs = performance.now() + readerMs
  for (;;) {
    try {
      return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
    } catch (error) {
      const isEarly = (error as NodeJS.ErrnoException).code === 'ENXIO'
      if (!isEarly || performance.now() > endMs) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
    }
  }
}

/**
 * Our own stdout or stderr, if the file is one of them. If it were opened again, writing would
 * begin at its start.
 */
function standardOf({ dev, ino }: Stats): NodeJS.WriteStream | undefined {
  return [process.stdout, process.stderr].find(({ fd }) => {
    try {
      const own = fstatSync(fd)
      return own.dev === dev && own.ino === ino && !own.isCharacterDevice()
    } catch {
      return false
    }
  })
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? ''

function statOf(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false })
}

/** The target of a link, even if it does not exist yet. Links stay links. */
function targetOf(path: string): string {
  let name = resolve(path)
  // The system follows this many links; after that it reports ELOOP itself.
  for (let links = 0; links < 40; links++) {
    const found = lstatSync(name, { throwIfNoEntry: false })
    if (!found?.isSymbolicLink()) break
    name = resolve(dirname(name), readlinkSync(name))
  }
  try {
    return join(realpathSync(dirname(name)), basename(name))
  } catch {
    return name
  }
}

/**
 * Checks the files before minutes are spent on a result that could not be saved, or that would
 * overwrite its own input. Leaves no file behind, and disturbs no reader.
 * @throws UserError
 */
export function checkOutputs(paths: readonly string[]): void {
  const known = new Map<string, string>()
  for (const path of paths) {
    const id = checkWritable(path)
    const same = known.get(id)
    if (same !== undefined)
      throw usageError(
        same === path
          ? `The output ${path} is named twice.`
          : `The outputs ${same} and ${path} are the same file.`,
        'Each would overwrite the other.',
      )
    known.set(id, path)
  }
}

/** @returns what distinguishes it from other files */
function checkWritable(path: string): string {
  try {
    const there = statOf(path)
    if (there?.isDirectory()) throw Object.assign(new Error('a folder'), { code: 'EISDIR' })
    if (there) refuseSocket(there)
    const target = targetOf(path)
    if (there) {
      // A FIFO is not opened here: its reader would take the close for the end of the data.
      accessSync(path, constants.W_OK)
      if (there.isFile()) closeSync(openSync(path, 'r+'))
      return `${there.dev}:${there.ino}`
    }
    closeSync(openSync(target, fresh))
    rmSync(target)
    return target
  } catch (error) {
    throw cannot('write', path, error)
  }
}
