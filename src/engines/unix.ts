/** The files of unix sockets: taking over a stale one, and never somebody's live one. */
import { existsSync, lstatSync, renameSync, rmSync, unlinkSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import type { UnixAddress } from '../address.ts'
import { explain } from './failures.ts'

/** One byte less than sun_path of unix(7) holds, for the final NUL. */
const pathMaxBytes = 107

/**
 * The path to bind before it takes the wanted name. libuv removes the name that it bound when a
 * listener is closed, even if only to pause; and clients find the socket only once it listens.
 */
export function provisional(address: UnixAddress): string {
  const path = boundPath(address.path)
  // Longer ones are cut silently by some versions of libuv.
  if (Buffer.byteLength(path) > pathMaxBytes) throw failure(address, 'ENAMETOOLONG')
  // libuv says EACCES for a folder that is not there.
  if (!existsSync(dirname(path))) throw failure(address, 'ENOENT')
  rmSync(path, { force: true })
  return path
}

/** What the system goes on calling it. */
export const boundPath = (path: string): string => `${path}~${process.pid % 1000}`

const failure = (address: UnixAddress, code: string) =>
  explain('listen on', address, Object.assign(new Error(code), { code }))

/** Gives a listening socket its name; refuses to take one that is in use. Returns its inode. */
export async function claimPath(address: UnixAddress): Promise<number> {
  const { path } = address
  const existing = lstatSync(path, { throwIfNoEntry: false })
  if (existing && !existing.isSocket()) throw failure(address, 'ENOTSOCK')
  if (existing && (await somebodyListens(path))) throw failure(address, 'EADDRINUSE')
  renameSync(boundPath(path), path)
  return lstatSync(path).ino
}

function somebodyListens(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const probe = connect({ path })
    const answer = (listens: boolean) => {
      probe.destroy()
      resolve(listens)
    }
    probe.once('connect', () => answer(true))
    // EAGAIN: its backlog is full. EACCES: it is not ours, so it is not ours to remove either.
    probe.once('error', (error: NodeJS.ErrnoException) => answer(error.code !== 'ECONNREFUSED'))
  })
}

/** Removes the name again, unless somebody else has taken it meanwhile. */
export function releasePath(path: string, inode: number): void {
  const existing = lstatSync(path, { throwIfNoEntry: false })
  if (existing?.ino === inode) unlinkSync(path)
}
