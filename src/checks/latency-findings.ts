/** What the question of latency may find, what that does to programs, and what to look at. */
import type { FindingKind } from './question.ts'

export const latencyFindings = {
  stalled: {
    outcome: 'fails',
    effect: 'Requests hang now and then, without an error.',
    advice:
      'Check whether the server stopped reading, whether packets are lost (`nstat -az ' +
      'TcpRetransSegs`), and whether a firewall applies new rules to open connections.',
  },
  'cut-off': {
    outcome: 'fails',
    effect: 'Connections break while they are used, now and then: transfers and sessions end.',
    advice:
      'Something that does not know the connection answered for the server: a second machine ' +
      'with the same address (`arping -D ADDRESS`; does `ip neigh` on the last router change?), ' +
      'a route or a balancer that leads to another server meanwhile, a firewall that was started ' +
      'again. Or the server crashed: see its log. Ask again: if a different question is cut off ' +
      'each time, what the questions send is not the reason.',
  },
  jitter: {
    outcome: 'differs',
    effect: 'Percentiles above p80 are bad; voice, games and consoles stutter.',
    advice:
      'A path that loses packets (each loss costs a timeout of 200 ms and more), a wireless ' +
      'link, a machine without processor time. `yodel bench --rate 100` has the distribution.',
  },
  steps: {
    outcome: 'differs',
    effect:
      'A request that is written in two pieces takes 40 ms longer on Linux, up to 500 ms ' +
      'elsewhere: 25 requests per second in place of thousands.',
    advice:
      "Nagle's algorithm meets delayed ACK: a server or a proxy on the way writes small pieces " +
      'without TCP_NODELAY. Set it there (nginx `tcp_nodelay on`, HAProxy `option ' +
      'http-no-delay`), or write a message in one piece.',
  },
  lumps: {
    outcome: 'differs',
    effect: 'What should stream (logs, events, progress, tokens) comes late and all at once.',
    advice:
      'A proxy or a server collects bytes before it passes them on (stdio does that when it ' +
      'writes into a pipe). The cure for nginx: `proxy_buffering off`, or ' +
      '`X-Accel-Buffering: no` in the answer.',
  },
  lossy: {
    outcome: 'differs',
    effect:
      'Every transfer is slower than the line allows: TCP halves its rate with each loss, and a ' +
      'loss at the end of a message costs 200 ms and more. Voice and video have gaps.',
    advice:
      'A bad cable or radio link, a duplex mismatch, a policer or a queue that is too short (`ip ' +
      '-s link`, `ethtool -S`, `tc -s qdisc`, `nft list ruleset` on each hop). If a second ' +
      '`check` at a quiet hour finds no loss, the cause is load and not a defect.',
  },
  bufferbloat: {
    outcome: 'differs',
    effect: 'While anything large is sent, everything else on that path is slow.',
    advice:
      'A queue on the way is too long for its rate: a modem, a router, a shaper (`tc -s qdisc`). ' +
      'Use fq_codel or cake there, or shape to a little less than the rate of the link.',
  },
} as const satisfies Record<string, FindingKind>

export type LatencyFinding = keyof typeof latencyFindings
