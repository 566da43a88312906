/** For a message that did not come back: does a program cut it, or the connection, at some size? */
import type { PathInfo } from '../engines/os/path-info.ts'
import { formatSize } from '../vocabulary/units.ts'
import type { Found } from './question.ts'
import type { SizeFinding } from './sizes-findings.ts'

export interface Failed {
  size: number
  cameBytes: number
  ending: string | undefined
  story: string
  info: PathInfo | undefined
}

/**
 * Finds out whether a program passes only so many bytes, of a connection or of each message.
 * @param also what became of the same message on a fresh connection
 */
export function ofProgram(
  passed: number,
  failed: Failed,
  also: Failed | undefined,
  inAll: number,
): Found<SizeFinding> | undefined {
  const { size, cameBytes, ending, story } = failed
  const fresh = also ? `${also.cameBytes} B came back of ${size}` : `${size} B did`
  const evidence = [
    `${inAll} B came back on one connection, then ${ending ?? 'nothing'}; on a fresh one ${fresh}`,
    story,
  ]
  const isOfEach = also !== undefined && also.cameBytes === cameBytes && cameBytes !== inAll
  if (also && isOfEach && cameBytes > 0 && !ending && !also.ending)
    return {
      name: 'cut',
      said: `of a longer message only the first ${formatSize(cameBytes)} come back`,
      evidence,
    }
  const isOfConnection = !also || also.cameBytes === inAll || (!isOfEach && also.cameBytes > passed)
  if (!isOfConnection) return undefined
  const does = ending === undefined ? 'stops' : `ends (${ending})`
  return { name: 'stops', said: `a connection ${does} after ${formatSize(inAll)}`, evidence }
}
