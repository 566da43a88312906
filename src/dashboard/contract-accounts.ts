/** The accounts of clients in the API: see contract.ts. */
import { about, instant, list, number, object, oneOf, orNull, row } from './shape.ts'
import { text, whole, type ObjectShape } from './shape.ts'

export const accountsWanted = object('AccountsWanted', {
  seconds: about('For how long from now on; 0 ends it.', whole({ most: 3_600 })),
})

export const accountsKept = object('AccountsKept', { now: instant, until: instant })

export const account = object(
  'Account',
  {
    url: about('The address of the listener.', text),
    peer: about("The client's address as the server sees it.", text),
    realPeer: about("The client's address by a PROXY header; null without one.", orNull(text)),
    openedAt: instant,
    bytesIn: about('On the wire, behind the handshakes.', number()),
    bytesOut: number(),
    events: about(
      "The client's FIN; its RST; the server's own FIN; the end of the connection.",
      list(object('', { at: instant, what: oneOf(['fin', 'reset', 'ended', 'closed']) })),
    ),
    headers: about(
      'For an upgrade to WebSocket: as the request had them.',
      orNull(list(row<[name: string, value: string]>(text, text))),
    ),
    datagrams: about(
      'For udp; null for a connection.',
      orNull(object('', { came: whole(), answered: whole(), largestBytes: whole() })),
    ),
    marks: about(
      'DSCP and ECN of what came, as one byte; null where they were not asked for.',
      orNull(
        object('', {
          refusedBecause: about('Why they cannot be read.', orNull(text)),
          came: list(object('', { mark: whole({ most: 255 }), datagrams: whole() })),
        }),
      ),
    ),
  },
  'What the server saw of a client; at most 2,000 on each thread, only with the node engine.',
)

export const accountList = object('AccountList', { now: instant, accounts: list(account) })

export const againWanted = object('AgainWanted', {
  peer: about('The client of udp, as it is in its account.', text),
})

export const marksWanted = object('MarksWanted', {
  peer: about('The client of udp, as it is in its account.', text),
  mark: about('DSCP and ECN of the answers, as one byte.', whole({ most: 255 })),
})

export const accountSchemas: readonly ObjectShape[] = [
  accountsWanted,
  accountsKept,
  account,
  accountList,
  againWanted,
  marksWanted,
]
