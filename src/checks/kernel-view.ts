/** What the kernel of this machine knows of a probe. */
import { quickAck, pathInfo, type PathInfo } from '../engines/os/path-info.ts'
import type { ProbeConnection } from './probe.ts'

/** Undefined where it has no TCP of its own to the other end, or the kernel cannot be asked. */
export const infoOf = ({ fd, isTunnelled }: ProbeConnection): PathInfo | undefined =>
  fd === undefined || isTunnelled ? undefined : pathInfo(fd)

/**
 * Has the next bytes acknowledged at once, or together with what is sent next; false where the
 * kernel cannot be told so.
 */
export const acknowledge = ({ fd }: ProbeConnection, atOnce: boolean): boolean =>
  fd !== undefined && quickAck(fd, atOnce)
