/** What a path does to datagrams. */
import * as defects from '../defects.ts'
import { brokenDatagrams } from '../middleboxes.ts'
import type { DatagramRelayKind } from '../datagram-relay.ts'
import type { Path } from '../path.ts'
import { echoAt, target, type Pathologies } from './pathology.ts'

const echoBehind = (make: (path: Path) => Promise<unknown>) => async (path: Path) => {
  await make(path)
  return echoAt(path, 'udp://0.0.0.0:0')
}

const behind = (kind: DatagramRelayKind) => async (path: Path) => {
  // The relay is one source for the server, which would take its repetitions for a loop.
  const server = await target(path, 'udp://0.0.0.0:0', '--udp-allow', 'loops')
  return `udp://${await brokenDatagrams(path.far, server, kind)}`
}

export const datagrams: Pathologies = {
  'datagrams get lost on the way up': {
    made: '10 % dropped toward the server',
    build: echoBehind(({ near }) => defects.lose(near, 'far', 0.1)),
    question: 'udp',
    outcome: 'fails',
    finding: 'lost',
    side: 'up',
  },
  'datagrams get lost on the way down': {
    made: '10 % dropped toward the client',
    build: echoBehind(({ far }) => defects.lose(far, 'near', 0.1)),
    question: 'udp',
    outcome: 'fails',
    finding: 'lost',
    side: 'down',
  },
  'datagrams come twice': {
    made: 'a proxy that doubles every tenth',
    build: behind('duplicates'),
    question: 'udp',
    outcome: 'differs',
    finding: 'duplicated',
  },
  'datagrams overtake each other': {
    made: 'a proxy that holds every tenth until the next',
    build: behind('reorders'),
    question: 'udp',
    outcome: 'differs',
    finding: 'reordered',
  },
  'datagrams are changed': {
    made: 'a proxy that flips a bit in every tenth',
    build: behind('corrupts'),
    question: 'udp',
    outcome: 'fails',
    finding: 'changed',
    also: { bytes: 'fails', sizes: 'fails' },
  },
  'fragments do not pass': {
    made: 'a firewall that drops fragments',
    build: echoBehind(({ near }) => defects.dropFragments(near)),
    question: 'sizes',
    outcome: 'differs',
    finding: 'no-fragments',
  },
  'datagrams of more than 1200 bytes vanish': {
    made: 'packets of more than 1228 bytes dropped in both directions',
    build: echoBehind(async ({ near, far }) => {
      await defects.dropLarge(near, 'far', 1228)
      await defects.dropLarge(far, 'near', 1228)
    }),
    question: 'sizes',
    outcome: 'fails',
    finding: 'black-hole',
  },
  'a policer of datagrams': {
    made: 'nft: datagrams beyond 100 a second dropped',
    build: echoBehind(({ near }) => defects.police(near, 'far', 100)),
    question: 'udp',
    outcome: 'fails',
    finding: 'rate-limited',
    // A long datagram is more packets than the policer lets through at once.
    also: { sizes: 'differs' },
  },
  'a NAT forgets clients of udp after 3 s': {
    made: 'masquerade, and conntrack: udp 3 s',
    build: echoBehind(async ({ near }) => {
      await defects.forget(near, 3, 'drop')
      await defects.masquerade(near, 'far')
    }),
    question: 'idle',
    outcome: 'fails',
    finding: 'unreachable',
    both: true,
  },
  'ECN is bleached on the way up': {
    made: 'nft: ip ecn set not-ect toward the server',
    build: echoBehind(({ near }) => defects.bleachEcn(near, 'far')),
    question: 'udp',
    outcome: 'differs',
    finding: 'ecn-bleached',
    side: 'up',
    both: true,
  },
  'ECN is bleached on the way down': {
    made: 'nft: ip ecn set not-ect toward the client',
    build: echoBehind(({ far }) => defects.bleachEcn(far, 'near')),
    question: 'udp',
    outcome: 'differs',
    finding: 'ecn-bleached',
    side: 'down',
    both: true,
  },
  'DSCP is rewritten on the way up': {
    made: 'nft: ip dscp set cs1 toward the server',
    build: echoBehind(({ near }) => defects.rewriteDscp(near, 'far', 'cs1')),
    question: 'udp',
    outcome: 'differs',
    finding: 'dscp-rewritten',
    side: 'up',
    both: true,
  },
  'DSCP is rewritten on the way down': {
    made: 'nft: ip dscp set cs0 toward the client',
    build: echoBehind(({ far }) => defects.rewriteDscp(far, 'near', 'cs0')),
    question: 'udp',
    outcome: 'differs',
    finding: 'dscp-rewritten',
    side: 'down',
    both: true,
  },
  'a firewall drops the traffic class of voice': {
    made: 'nft: ip dscp ef drop toward the server',
    build: echoBehind(({ near }) => defects.dropDscp(near, 'far', 'ef')),
    question: 'udp',
    outcome: 'fails',
    finding: 'marks-lost',
    side: 'up',
    both: true,
  },
  'the answer comes from another address': {
    made: 'a router that rewrites the source of answers',
    build: async path => {
      await path.far.nft('early', 'udp sport 7200 ip saddr set 10.77.2.9')
      return echoAt(path, 'udp://0.0.0.0:7200')
    },
    question: 'udp',
    outcome: 'fails',
    finding: 'other-address',
    // Only the first fragment of a datagram has its port.
    also: { sizes: 'differs' },
  },
}
