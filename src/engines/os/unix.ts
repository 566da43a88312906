/** The files of unix sockets: a stale file is replaced; the file of a running server is not. */
import { existsSync, lstatSync, renameSync, rmSync, unlinkSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import type { UnixAddress } from '../../vocabulary/address.ts'
import { explain } from '../failures.ts'

/** One byte less than sun_path of unix(7) holds, for the final NUL. */
const pathMaxBytes = 107

/**
 * The path to bind at first; claimPath() then gives the socket its wanted name. libuv removes the
 * name that it bound when a listener is closed, even if only to pause; and clients find the socket
 * only once it listens.
 */
export function provisional(address: UnixAddress): string {
  // libuv cuts a longer path silently, or fails with EINVAL.
  if (Buffer.byteLength(address.path) > pathMaxBytes) throw failure(address, 'ENAMETOOLONG')
  const path = boundPath(address.path)
  // libuv would fail with EACCES if the folder does not exist.
  if (!existsSync(dirname(path))) throw failure(address, 'ENOENT')
  // A killed process may have left a socket with this path. Any other file is not ours, and counts
  // as in use.
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket()) rmSync(path, { force: true })
  return path
}

/** The name that the system keeps for the socket: in the same folder, and not too long. */
export function boundPath(path: string): string {
  const folder = path.slice(0, path.lastIndexOf('/') + 1)
  const mark = `~${process.pid % 1000}`
  const room = pathMaxBytes - Buffer.byteLength(folder)
  const name = withinBytes(path.slice(folder.length), room - mark.length) + mark.slice(0, room)
  // If there is very little room, this might be the wanted name itself.
  return folder + name === path ? `${folder}${'-'.repeat(name.length)}` : folder + name
}

/** Keeps as many whole characters as fit. */
function withinBytes(text: string, maxBytes: number): string {
  let end = 0
  for (const character of text) {
    if (Buffer.byteLength(text.slice(0, end + character.length)) > maxBytes) break
    end += character.length
  }
  return text.slice(0, end)
}

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
    // EAGAIN: the backlog of a running server is full. EACCES: the socket belongs to another user,
    // so we must not remove it.
    probe.once('error', (error: NodeJS.ErrnoException) => answer(error.code !== 'ECONNREFUSED'))
  })
}

/** Removes the name again, unless another socket has taken it meanwhile. */
export function releasePath(path: string, inode: number): void {
  const existing = lstatSync(path, { throwIfNoEntry: false })
  if (existing?.ino === inode) unlinkSync(path)
}
