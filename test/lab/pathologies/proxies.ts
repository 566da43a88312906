/** What proxies of bytes do: those of Debian, and small broken ones where none of those does it. */
import { broken, frontPort, haproxy, nginxStream, socat } from '../middleboxes.ts'
import type { RelayKind } from '../relay.ts'
import type { Path } from '../path.ts'
import { target, type Pathologies } from './pathology.ts'

/** Behind one of our own proxies. */
const behind = (kind: RelayKind) => async (path: Path) =>
  `tcp://${await broken(path.far, await target(path), kind)}`

export const proxies: Pathologies = {
  'a converter of line ends': {
    made: 'socat with crlf',
    build: async path => {
      const { ip4, port } = await target(path)
      return `tcp://${await socat(path.far, `TCP:${ip4}:${port}`, ',crlf')}`
    },
    question: 'bytes',
    outcome: 'fails',
    finding: 'changed',
    // Five connections wait for socat at most, which starts a process for each.
    also: { overload: 'differs' },
    needs: ['socat'],
  },
  'a serial line swallows XON and XOFF': {
    made: 'socat over a pty with ixon',
    build: async path => {
      const { ip4, port } = await target(path)
      const line = `EXEC:socat - TCP\\:${ip4}\\:${port},pty,raw,echo=0,ixon=1`
      return `tcp://${await socat(path.far, line)}`
    },
    question: 'bytes',
    outcome: 'fails',
    finding: 'stuck',
    // Five connections wait for socat at most, which starts a process for each.
    also: { sizes: 'fails', 'half-close': 'fails', overload: 'differs', latency: 'fails' },
    needs: ['socat'],
  },
  'a telnet gateway': {
    made: 'a proxy that takes 0xFF for its own',
    build: behind('without IAC'),
    question: 'bytes',
    outcome: 'fails',
    finding: 'changed',
  },
  'strings end at NUL': {
    made: 'a proxy that drops NUL',
    build: behind('without NUL'),
    question: 'bytes',
    outcome: 'fails',
    finding: 'changed',
  },
  'a line of seven bits': {
    made: 'a proxy that clears the highest bit',
    build: behind('seven bits'),
    question: 'bytes',
    outcome: 'fails',
    finding: 'changed',
  },
  'a greeting is added': {
    made: 'a proxy that says "220 gateway ready"',
    build: behind('banner'),
    question: 'bytes',
    outcome: 'fails',
    finding: 'greeting',
  },
  'a filter resets what looks like HTTP or TLS': {
    made: 'a proxy that looks at the first bytes',
    build: behind('suspicious'),
    question: 'bytes',
    outcome: 'fails',
    finding: 'closed',
  },
  'bytes get lost beyond 100 kB': {
    made: 'a proxy that swallows the rest',
    build: behind('swallows beyond 100 kB'),
    question: 'sizes',
    outcome: 'fails',
    finding: 'stops',
    also: { bytes: 'fails', 'half-close': 'fails', latency: 'fails' },
  },
  'nginx hangs up on FIN': {
    made: 'nginx stream with its default (proxy_half_close off); the server answers after 300 ms',
    // The echo is under way when FIN comes, however busy the machine is.
    build: async path =>
      `tcp://${await nginxStream(path.far, await target(path, '--fault', 'delay=300ms'))}`,
    question: 'half-close',
    outcome: 'fails',
    finding: 'data-lost',
    needs: ['nginx'],
  },
  'a proxy swallows FIN': {
    made: 'a proxy that passes no FIN on',
    build: behind('swallows FIN'),
    question: 'half-close',
    outcome: 'fails',
    finding: 'fin-swallowed',
    side: 'up',
  },
  'a proxy resets on FIN': {
    made: 'a proxy that answers FIN with RST',
    build: behind('resets on FIN'),
    question: 'half-close',
    outcome: 'fails',
    finding: 'data-lost',
  },
  'FIN comes late': {
    made: 'a proxy that waits 600 ms before it passes FIN on',
    build: behind('late FIN'),
    question: 'half-close',
    outcome: 'differs',
    finding: 'fin-delayed',
    side: 'up',
  },
  'haproxy ends silent connections': {
    made: 'haproxy with timeout client 3s',
    build: async path =>
      `tcp://${await haproxy(path.far, await target(path), ['timeout client 3s'])}`,
    question: 'idle',
    outcome: 'differs',
    finding: 'closed',
    needs: ['haproxy'],
  },
  'nginx ends silent connections': {
    made: 'nginx stream with proxy_timeout 3s',
    build: async path => {
      const lines = 'proxy_timeout 3s; proxy_half_close on;'
      return `tcp://${await nginxStream(path.far, await target(path), lines)}`
    },
    question: 'idle',
    outcome: 'differs',
    finding: 'closed',
    needs: ['nginx'],
  },
  'haproxy lets connections wait': {
    made: 'haproxy with maxconn 4',
    build: async path => `tcp://${await haproxy(path.far, await target(path), ['maxconn 4'])}`,
    question: 'overload',
    outcome: 'differs',
    finding: 'queued',
    needs: ['haproxy'],
  },
  'a proxy hides its clients': {
    made: 'haproxy with its defaults',
    build: async path => `tcp://${await haproxy(path.far, await target(path))}`,
    question: 'proxy',
    outcome: 'differs',
    finding: 'hidden',
    both: true,
    needs: ['haproxy'],
  },
  'a proxy names the proxy in front of it': {
    made: 'haproxy with its defaults, in front of haproxy with send-proxy-v2',
    build: async path => {
      const reading = ['--proxy-protocol', 'require', '--proxy-from', '10.77.0.0/16']
      await haproxy(path.far, await target(path, ...reading), [], 'send-proxy-v2')
      return `tcp://${await haproxy(path.near, { ip4: path.far.ip4, port: frontPort })}`
    },
    question: 'proxy',
    outcome: 'fails',
    finding: 'wrong-address',
    both: true,
    needs: ['haproxy'],
  },
  'a proxy collects small pieces': {
    made: 'a proxy that passes on after 200 ms of silence',
    build: behind('lumps'),
    question: 'latency',
    outcome: 'differs',
    finding: 'lumps',
  },
  "Nagle's algorithm meets delayed ACKs": {
    made: 'a proxy that sends each piece in two writes, without TCP_NODELAY',
    build: behind('two writes'),
    question: 'latency',
    outcome: 'differs',
    finding: 'steps',
  },
}
