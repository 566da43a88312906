/** The accounts of clients in the API: see contract.ts. */
import { about, instant, array, number, object, oneOf, orNull, row } from './shape.ts'
import { string, wholeNumber, type ObjectShape } from './shape.ts'

export const accountsWanted = object('AccountsWanted', {
  seconds: about('For how long from now on; 0 ends it.', wholeNumber({ most: 3_600 })),
})

export const accountsKept = object('AccountsKept', { now: instant, until: instant })

export const account = object(
  'Account',
  {
    url: about('The address of the listener.', string),
    peer: about("The client's address as the server sees it.", string),
    realPeer: about("The client's address by a PROXY header; null without one.", orNull(string)),
    openedAt: instant,
    bytesIn: about('On the wire, behind the handshakes.', number()),
    bytesOut: number(),
    events: about(
      "The client's FIN; its RST; the server's own FIN; the end of the connection.",
      array(object('', { at: instant, what: oneOf(['fin', 'reset', 'ended', 'closed']) })),
    ),
    headers: about(
      'For an upgrade to WebSocket: as the request had them.',
      orNull(array(row<[name: string, value: string]>(string, string))),
    ),
    datagrams: about(
      'For udp; null for a connection.',
      orNull(
        object('', { came: wholeNumber(), answered: wholeNumber(), largestBytes: wholeNumber() }),
      ),
    ),
    marks: about(
      'DSCP and ECN of what came, as one byte; null where they were not asked for.',
      orNull(
        object('', {
          refusedBecause: about('Why they cannot be read.', orNull(string)),
          came: array(object('', { mark: wholeNumber({ most: 255 }), datagrams: wholeNumber() })),
        }),
      ),
    ),
  },
  'What the server saw of a client; at most 2,000 on each thread, only with the node engine.',
)

export const accountList = object('AccountList', { now: instant, accounts: array(account) })

export const againWanted = object('AgainWanted', {
  peer: about('The client of udp, as it is in its account.', string),
})

export const marksWanted = object('MarksWanted', {
  peer: about('The client of udp, as it is in its account.', string),
  mark: about('DSCP and ECN of the answers, as one byte.', wholeNumber({ most: 255 })),
})

export const accountSchemas: readonly ObjectShape[] = [
  accountsWanted,
  accountsKept,
  account,
  accountList,
  againWanted,
  marksWanted,
]
