/**
 * The value by which a server shows that it has understood the request for an upgrade (RFC 6455
 * section 4.2.2).
 */
import { createHash } from 'node:crypto'

const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** @param key the key in the request */
export const acceptOf = (key: string): string =>
  createHash('sha1')
    .update(key + guid)
    .digest('base64')

/** Whether a header Connection, which is a list, says that the connection is upgraded. */
export const saysUpgrade = (connection: string): boolean =>
  /(?:^|,)[ \t]*upgrade[ \t]*(?:,|$)/i.test(connection)
