/** What the question of overload may find, what that does to programs, and what to look at. */
import type { FindingKind } from './question.ts'
import { uneven } from './alike.ts'

export const overloadFindings = {
  uneven,
  refused: {
    outcome: 'differs',
    effect: 'Further clients get an error at once, and can say so or try another server.',
    advice:
      'A limit of connections of the server or of a proxy (`maxconn`, `worker_connections`, ' +
      '`ncat -m`), a full backlog with tcp_abort_on_overflow, or a firewall with `ct count`.',
  },
  unanswered: {
    outcome: 'differs',
    effect:
      'Further clients wait for a connection until a timeout (minutes on Linux): to them the ' +
      'server looks as if it were switched off.',
    advice:
      'A firewall drops new connections beyond a limit (`ct count`, `limit rate`), or the ' +
      'backlog of the server is full (`ss -ltn`: Recv-Q reaches Send-Q).',
  },
  closed: {
    outcome: 'differs',
    effect:
      'Further clients are connected and then cut off: to them the server seems to crash, and ' +
      'many try again at once.',
    advice:
      'The server or a proxy accepts and closes above its limit (`maxconn`, `limit_conn`, ' +
      '`ncat -m`, MaxStartups). Raise it, or let clients wait before they try again.',
  },
  queued: {
    outcome: 'differs',
    effect:
      'Further clients are connected, but get no answer until an earlier one leaves: to them ' +
      'the server seems to hang.',
    advice:
      'The server takes that many clients at once (one thread or process each, a pool, ' +
      '`--concurrency`), and the others wait in its backlog. Raise the limit if it is too low.',
  },
  'slow-connect': {
    outcome: 'differs',
    effect: 'Some clients take a second or more to connect: percentiles above p90 become bad.',
    advice:
      'The first packet of a connection was dropped: a full backlog (`nstat -az ' +
      'TcpExtListenDrops`), a limit of new connections per second, or loss on the way.',
  },
  broken: {
    outcome: 'fails',
    effect: 'Clients that were served lose their connection when others come.',
    advice:
      'The server runs out of something (descriptors, memory, threads), or a proxy on the way ' +
      'closes its oldest connections. Look at the logs and limits of both.',
  },
} as const satisfies Record<string, FindingKind>

export type OverloadFinding = keyof typeof overloadFindings
