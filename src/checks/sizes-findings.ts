/** What the questions of sizes may find, what that does to programs, and what to look at. */
import { uneven } from './alike.ts'
import { earlyAnswer } from './early-answer.ts'
import type { FindingKind } from './question.ts'

export const sizeFindings = {
  uneven,
  'black-hole': {
    outcome: 'fails',
    effect:
      'Small messages work and large ones hang: logins succeed and file lists stop, TLS ' +
      'handshakes hang at the certificate, `ssh` connects and freezes.',
    advice:
      'A link with a smaller MTU (a tunnel, VPN, PPPoE, an overlay network) whose ICMP ' +
      '"fragmentation needed" (IPv6: "packet too big") is dropped by a firewall. Let that ICMP ' +
      'pass; or clamp the MSS (`nft ... tcp option maxseg size set rt mtu`), or lower the MTU of ' +
      'the interface. `ping -M do -s SIZE` and `tracepath` find the hop.',
  },
  stuck: {
    outcome: 'fails',
    effect: 'Small messages work and large ones hang.',
    advice:
      'Either large packets vanish (a smaller MTU on the way, with ICMP "fragmentation needed" ' +
      'dropped: compare `ping -M do -s SIZE`), or a program on the way waits for something. On ' +
      'Linux with the package koffi this question asks the kernel, and can tell.',
  },
  limit: {
    outcome: 'fails',
    effect: 'Longer messages break the connection.',
    advice: 'The server or a proxy has a limit for one message or body: see its log and options.',
  },
  'early-answer': earlyAnswer,
  stops: {
    outcome: 'fails',
    effect: 'Long transfers hang or break off, each at the same place.',
    advice:
      'A program, at the other end or on the way, passes only a limited number of bytes of a ' +
      'connection: a quota, an inspecting proxy with a full buffer, a server that stops reading.',
  },
  'no-fragments': {
    outcome: 'differs',
    effect: 'Datagrams larger than a packet never arrive: DNS with long answers, NFS, IPsec, SIP.',
    advice:
      'A firewall drops fragments (many do). Send smaller datagrams (1,200 B pass nearly ' +
      'everywhere), or let fragments pass.',
  },
  'many-fragments': {
    outcome: 'differs',
    effect: 'Long datagrams (NFS, tunnels, long answers of DNS) never arrive, shorter ones do.',
    advice:
      'If one fragment is lost, so is the whole datagram. Look for a policer whose burst is ' +
      'smaller than the fragments of one datagram (`limit rate` of nft), a limit on putting them ' +
      'together (`net.ipv4.ipfrag_high_thresh`), or a small buffer of the server. ' +
      'Send less at a time.',
  },
  cut: {
    outcome: 'fails',
    effect: 'The end of long messages or datagrams is missing, without an error.',
    advice:
      'A program reads each message into a buffer that is too short, and drops the rest (socat ' +
      '`-b` with datagrams, 2 or 8 KiB usually; a server that reads only once for each message).',
  },
  'own-limit': {
    outcome: 'differs',
    effect: 'Programs here get EMSGSIZE for longer datagrams.',
    advice: 'The system of this machine limits them (`net.inet.udp.maxdgram` on macOS).',
  },
  'smaller-mtu': {
    outcome: 'differs',
    effect: 'Path MTU discovery works: the first large packets of a connection cost a round trip.',
    advice:
      'You need not do anything. Large packets would vanish if the ICMP messages were filtered; ' +
      'if the router clamps the MSS, connections do not depend on these messages.',
  },
  'small-segments': {
    outcome: 'differs',
    effect: 'More packets and more processor time for the same bytes; nothing breaks.',
    advice:
      'The other end has a smaller MTU, or something on the way clamps the MSS (a VPN, PPPoE, a ' +
      'load balancer). That is the usual cure for black holes; check that the value is intended.',
  },
} as const satisfies Record<string, FindingKind>

export type SizeFinding = keyof typeof sizeFindings
