/** What the question of udp may find, what that does to programs, and what to look at. */
import type { FindingKind } from './question.ts'

export const udpFindings = {
  lost: {
    outcome: 'fails',
    effect: 'DNS and QUIC try again and are slow; voice and games stutter; logs have gaps.',
    advice:
      'Loss on the way (a wireless link, an overfull queue), or a rate limit for datagrams. One ' +
      'end alone cannot tell the direction: ask the server with `--control`, or count with ' +
      '`tcpdump` at the other end.',
  },
  'few-lost': {
    outcome: 'differs',
    effect: 'Programs on udp have to expect that; some do not.',
    advice: 'Ask again with `--thorough`: a single loss may be chance.',
  },
  'rate-limited': {
    outcome: 'fails',
    effect: 'Bursts (QUIC, video, syslog) lose most of what they send.',
    advice:
      'A policer or a firewall drops datagrams beyond a rate (`limit rate` of nft, DDoS ' +
      'protection, `yodel serve --udp-rate`), or a queue on the way is too short.',
  },
  duplicated: {
    outcome: 'differs',
    effect: 'Programs that do not number their datagrams do things twice.',
    advice:
      'Two paths that both deliver (bonding in broadcast mode, a mirrored port), or a tunnel.',
  },
  reordered: {
    outcome: 'differs',
    effect: 'If a packet comes more than a few packets late, QUIC and RTP count it as lost.',
    advice: 'Several links that take turns per packet; bonding in round-robin mode; a tunnel.',
  },
  changed: {
    outcome: 'fails',
    effect: 'Programs read rubbish: the checksum was right, so a program changed the content.',
    advice:
      'The server is not an echo, or cuts datagrams; or a gateway on the way (an ' +
      'application-level gateway for SIP or DNS) rewrites content.',
  },
  'other-address': {
    outcome: 'fails',
    effect: 'Connected sockets (DNS resolvers, QUIC, most clients) never see the answer.',
    advice:
      'The server answers from another address of its machine: bind it to one address, or let it ' +
      'use IP_PKTINFO; or a NAT rewrites answers.',
  },
} as const satisfies Record<string, FindingKind>

export type UdpFinding = keyof typeof udpFindings
