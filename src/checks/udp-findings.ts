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
    effect: 'Programs on udp must cope with the loss of a few datagrams, but some do not.',
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
  'marks-lost': {
    outcome: 'fails',
    effect:
      'Voice and video (DSCP), and QUIC with ECN, do not get through, though plain datagrams do.',
    advice:
      'A firewall drops packets by their DSCP or ECN bits (`ip dscp`, `-m tos`, `-m ecn`), or a ' +
      'class of a shaper has no rate left: `nft list ruleset`, `tc -s class` on each hop.',
  },
  'ecn-bleached': {
    outcome: 'differs',
    effect:
      'On this path QUIC, L4S and TCP learn about congestion only by loss: more is sent again, ' +
      'and queues are longer.',
    advice:
      'A router or a tunnel clears the two bits of ECN: a rule that sets the whole TOS byte, ' +
      '`ip ecn set not-ect`, a tunnel that does not copy them (RFC 6040), a proxy of datagrams. ' +
      '`tcpdump -v udp` shows `tos` on each hop.',
  },
  'dscp-rewritten': {
    outcome: 'differs',
    effect: 'Behind that hop voice and video are queued like anything else, or in another class.',
    advice:
      'Networks reset DSCP at their border, usually to 0 (CS0). In a network of your own let the ' +
      'port trust it (`mls qos trust dscp`, no `ip dscp set` in nft, no `DSCP --set-dscp`); a ' +
      'proxy of datagrams sends its own. `tcpdump -v udp` shows `tos` on each hop.',
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
