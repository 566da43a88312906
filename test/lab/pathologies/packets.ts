/** What routers, firewalls and links do to packets. */
import * as defects from '../defects.ts'
import { proxy } from '../middleboxes.ts'
import type { Path } from '../path.ts'
import { echoAt, target, type Pathologies } from './pathology.ts'

/** A path that is bad already, with an echo at its end. */
const echoBehind = (make: (path: Path) => Promise<unknown>) => async (path: Path) => {
  await make(path)
  return echoAt(path)
}

/** Where packets are lost, those that open connections may be. */
const firstPackets = { overload: 'differs' } as const

/** Whatever sends more than one packet at a time is stuck. */
const stuckToo = { bytes: 'fails', 'half-close': 'fails', latency: 'fails' } as const

export const packets: Pathologies = {
  'a firewall forgets after 3 s, and is silent': {
    made: 'conntrack: established 3 s, invalid dropped',
    build: echoBehind(({ near }) => defects.forget(near, 3, 'drop')),
    question: 'idle',
    outcome: 'fails',
    finding: 'forgotten',
  },
  'a firewall forgets after 3 s, and resets': {
    made: 'conntrack: established 3 s, invalid answered with RST',
    build: echoBehind(({ near }) => defects.forget(near, 3, 'reject')),
    question: 'idle',
    outcome: 'fails',
    finding: 'reset',
  },
  'a black hole of path MTU discovery': {
    made: 'middle link of MTU 1300, "fragmentation needed" dropped',
    build: echoBehind(async ({ near, far }) => {
      await defects.narrow(near, far, 1300)
      for (const router of [near, far]) await defects.silence(router)
    }),
    question: 'sizes',
    outcome: 'fails',
    finding: 'black-hole',
    also: stuckToo,
  },
  'a narrow link, with path MTU discovery': {
    made: 'middle link of MTU 1300, whose router sends "fragmentation needed"',
    build: echoBehind(({ near, far }) => defects.narrow(near, far, 1300)),
    question: 'sizes',
    outcome: 'differs',
    finding: 'smaller-mtu',
  },
  'large packets vanish on the way up': {
    made: 'packets of more than 1300 bytes dropped toward the server',
    build: echoBehind(({ near }) => defects.dropLarge(near, 'far', 1300)),
    question: 'sizes',
    outcome: 'fails',
    finding: 'black-hole',
    side: 'up',
    also: stuckToo,
  },
  'large packets vanish on the way down': {
    made: 'packets of more than 1300 bytes dropped toward the client',
    build: echoBehind(({ far }) => defects.dropLarge(far, 'near', 1300)),
    question: 'sizes',
    outcome: 'fails',
    finding: 'black-hole',
    side: 'down',
    also: stuckToo,
  },
  'the segment size is clamped': {
    made: 'the option MSS of each SYN set to 500',
    build: echoBehind(({ near }) => defects.clampMss(near, 500)),
    question: 'sizes',
    outcome: 'differs',
    finding: 'small-segments',
  },
  'a firewall resets the 9th connection': {
    made: 'nft: ct count over 8 reject with tcp reset',
    build: async path => {
      const { ip4, port } = await target(path)
      await defects.limit(path.near, port, 8, 'reject')
      return `tcp://${ip4}:${port}`
    },
    question: 'overload',
    outcome: 'differs',
    finding: 'refused',
  },
  'a firewall does not answer the 9th connection': {
    made: 'nft: ct count over 8 drop',
    build: async path => {
      const { ip4, port } = await target(path)
      await defects.limit(path.near, port, 8, 'drop')
      return `tcp://${ip4}:${port}`
    },
    question: 'overload',
    outcome: 'differs',
    finding: 'unanswered',
  },
  'a bloated buffer': {
    made: 'tbf of 10 Mbit/s with room for 800 ms toward the server',
    build: echoBehind(({ near }) => defects.slow(near, 'far', '10mbit', 800)),
    question: 'latency',
    outcome: 'differs',
    finding: 'bufferbloat',
  },
  'packets get lost on the way up': {
    made: '3 % dropped toward the server',
    build: echoBehind(({ near }) => defects.lose(near, 'far', 0.03)),
    question: 'latency',
    outcome: 'differs',
    finding: 'lossy',
    side: 'up',
    also: firstPackets,
  },
  'packets get lost on the way down': {
    made: '3 % dropped toward the client',
    build: echoBehind(({ far }) => defects.lose(far, 'near', 0.03)),
    question: 'latency',
    outcome: 'differs',
    finding: 'lossy',
    side: 'down',
    also: firstPackets,
  },
  'packets get lost': {
    made: '3 % dropped in each direction',
    build: echoBehind(async ({ near, far }) => {
      await defects.lose(near, 'far', 0.03)
      await defects.lose(far, 'near', 0.03)
    }),
    question: 'latency',
    outcome: 'differs',
    finding: 'lossy',
    also: firstPackets,
  },
  'IPv6 is a black hole': {
    made: 'a name with both families; a router drops all of IPv6',
    build: async path => {
      const { port } = await target(path)
      await defects.block(path.near, 'ipv6')
      path.lab.name('path.lab', path.server.ip6, path.server.ip4)
      return `tcp://path.lab:${port}`
    },
    question: 'families',
    outcome: 'fails',
    finding: 'black',
  },
  'nothing listens on IPv4': {
    made: 'a name with both families; the server is on IPv6 only',
    build: async path => {
      const port = 7100
      await path.server.serve(`tcp://[${path.server.ip6}]:${port}`)
      path.lab.name('path.lab', path.server.ip6, path.server.ip4)
      return `tcp://path.lab:${port}`
    },
    question: 'families',
    outcome: 'differs',
    finding: 'refuses',
  },
  'IPv6 leads to another program': {
    made: 'a name with both families; on IPv6 another program, which answers nothing',
    build: async path => {
      const port = 7100
      await path.server.serve(`tcp://${path.server.ip4}:${port}`)
      const address = `TCP6-LISTEN:${port},fork,reuseaddr,ipv6only=1`
      await proxy(path.server, 'socat', [address, 'SYSTEM:cat >/dev/null'], { port })
      path.lab.name('path.lab', path.server.ip4, path.server.ip6)
      return `tcp://path.lab:${port}`
    },
    question: 'families',
    outcome: 'fails',
    finding: 'no-echo',
    also: { bytes: 'fails' },
    needs: ['socat'],
  },
}
