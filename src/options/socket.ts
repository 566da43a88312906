/** The options of a client's sockets, which are set before they connect. */
import { usageError } from '../vocabulary/errors.ts'
import { option, type Kind, type OptionsOf, type Where } from './form.ts'
import { size, text } from './kinds.ts'
import { networked, overTcp } from './where.ts'

/** Names of code points: RFC 2474, RFC 2597, RFC 3246, RFC 5865, RFC 8622. */
const codePoints: Readonly<Record<string, number>> = {
  df: 0,
  le: 1,
  va: 44,
  ef: 46,
  ...Object.fromEntries(Array.from({ length: 8 }, (_, n) => [`cs${n}`, 8 * n])),
  ...Object.fromEntries(
    [1, 2, 3, 4].flatMap(group =>
      [1, 2, 3].map(drop => [`af${group}${drop}`, 8 * group + 2 * drop]),
    ),
  ),
}

/** DSCP: six bits that tell routers how to treat a packet. */
const codePoint: Kind<number> = {
  placeholder: '<code>',
  parse(typed) {
    const named = codePoints[typed.toLowerCase()]
    const found = named ?? (/^\d{1,2}$/.test(typed) ? Number(typed) : undefined)
    if (found === undefined || found > 63)
      throw usageError(
        `'${typed}' is not a code point.`,
        'Write a number from 0 to 63, or ef, va, le, af11 to af43, cs0 to cs7.',
      )
    return found
  },
  format: value => [String(value)],
  mistake: value =>
    Number.isInteger(value) && value >= 0 && value <= 63
      ? undefined
      : 'must be a whole number from 0 to 63.',
}

/** A name in the system, with at most 15 letters. */
const systemName = (placeholder: string): Kind<string> => ({
  ...text(placeholder),
  mistake: value =>
    /^[\w.@:-]{1,15}$/.test(value)
      ? undefined
      : 'must be 1 to 15 letters, digits, dots, colons or any of _-@.',
})

const packets: Where = {
  engines: 'every',
  transports: networked,
  reason: name => `A socket of ${name} sends no packets.`,
}

/** The size of a buffer; the system takes it as an int. */
const buffer = size({ max: 2 ** 30, maxText: '1GiB' })

export const socketOptions = {
  interface: option(systemName('<name>'), {
    default: undefined,
    flag: 'interface',
    help: 'connect only through this network interface',
    where: packets,
  }),
  dscp: option(codePoint, {
    default: undefined,
    flag: 'dscp',
    help: 'mark packets: ef, af41, cs1 ... or 0 to 63',
    where: packets,
  }),
  sendBufferBytes: option(buffer, {
    default: undefined,
    flag: 'send-buffer',
    help: 'size of the system buffer for what is sent (SO_SNDBUF)',
    where: packets,
  }),
  receiveBufferBytes: option(buffer, {
    default: undefined,
    flag: 'receive-buffer',
    help: 'size of the system buffer for what came (SO_RCVBUF)',
    where: packets,
  }),
  congestion: option(systemName('<name>'), {
    default: undefined,
    flag: 'congestion',
    help: 'congestion control of TCP: cubic, reno, bbr ...',
    where: {
      engines: 'every',
      transports: overTcp,
      reason: name => `${name} has no congestion control: only TCP has one.`,
    },
  }),
}

export type SocketOptions = OptionsOf<typeof socketOptions>
