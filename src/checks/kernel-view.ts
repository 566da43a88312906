/** What the kernel of this machine knows of a probe. */
import { quickAck, pathInfo, type PathInfo } from '../engines/os/path-info.ts'
import type { ProbeConnection } from './probe.ts'

/**
 * What the kernel knows of a connection; undefined if the probe goes through a proxy, or the kernel
 * cannot be asked.
 */
export const infoOf = ({ fd, isTunnelled }: ProbeConnection): PathInfo | undefined =>
  fd === undefined || isTunnelled ? undefined : pathInfo(fd)

/**
 * Tells the kernel to acknowledge the next bytes at once, or only together with what is sent next.
 * False where the kernel cannot be told.
 */
export const acknowledge = ({ fd }: ProbeConnection, atOnce: boolean): boolean =>
  fd !== undefined && quickAck(fd, atOnce)
