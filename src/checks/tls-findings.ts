/** What the question of TLS may find, what that does to programs, and what to look at. */
import type { FindingKind } from './question.ts'

export const tlsFindings = {
  'no-handshake': {
    outcome: 'fails',
    effect: 'No client gets a connection.',
    advice:
      'Check that the server speaks TLS on this port. If it does, its log says why the handshake ' +
      'fails: no common version, no certificate for that name, or no certificate from the client.',
  },
  untrusted: {
    outcome: 'fails',
    effect:
      'Clients that check the certificate refuse the connection; others may talk to an impostor.',
    advice:
      'Look at whose certificate it is. If another program shows its own, something on the way ' +
      'ends TLS (an inspecting proxy, a captive portal). If the server shows it, renew it, send ' +
      'the whole chain, or give clients its authority (`--ca`) or fingerprint (`--pin`).',
  },
  intercepted: {
    outcome: 'differs',
    effect:
      'Whatever ends TLS on the way can read and change everything. Clients that pin the ' +
      'certificate of the server refuse the connection. Certificates of clients do not reach the ' +
      'server.',
    advice:
      'Often a load balancer ends TLS for the server, and that is intended. If you know of none, ' +
      'an inspecting proxy or an impostor is on the way: look at the issuer.',
  },
  expiring: {
    outcome: 'differs',
    effect: 'When it has expired, all clients refuse the connection at once.',
    advice: 'Renew it now, and find out why it was not renewed automatically.',
  },
  'not-1.3': {
    outcome: 'differs',
    effect: 'Each connection takes one more round trip; the certificate is sent in the clear.',
    advice:
      'The server, or a proxy that ends TLS on the way, speaks TLS 1.2 only: update it, or see ' +
      'its list of versions (nginx `ssl_protocols`, HAProxy `ssl-max-ver`).',
  },
  'only-1.3': {
    outcome: 'differs',
    effect: 'Clients that know TLS 1.2 only are refused.',
    advice: 'You need not do anything if all clients are newer than about 2018.',
  },
  obsolete: {
    outcome: 'differs',
    effect: 'TLS 1.0 and 1.1 are forbidden (RFC 8996); auditors complain.',
    advice: 'Allow TLS 1.2 and 1.3 only.',
  },
  'needs-sni': {
    outcome: 'differs',
    effect: 'Clients that connect by address, or send no name, get another certificate or none.',
    advice: 'That is usual where several names share an address. Let clients send the name (SNI).',
  },
  'no-close-notify': {
    outcome: 'differs',
    effect:
      'A stream that was cut off looks like one that has ended. Some libraries report an error ' +
      'whenever a stream ends ("unexpected EOF").',
    advice: 'The server, or a proxy on the way, closes the connection without close_notify.',
  },
} as const satisfies Record<string, FindingKind>

export type TlsFinding = keyof typeof tlsFindings
