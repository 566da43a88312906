/** Mistakes in the accounting that the suite has to notice: npm run truth:mutations makes them. */

export interface Mistake {
  what: string
  file: string
  from: string
  to: string
}

export const mistakes: Mistake[] = [
  {
    what: 'a counter is left out: what came back of streams',
    file: 'load/stream.ts',
    from: 'counters[counter.messagesReceived]! += received - warm',
    to: 'counters[counter.messagesReceived]! += 0',
  },
  {
    what: 'the window ends early',
    file: 'load/timetable.ts',
    from: 'this.#endNs = this.measureFromNs + this.task.durationMs * 1e6',
    to: 'this.#endNs = this.measureFromNs + this.task.durationMs * 0.97e6',
  },
  {
    what: 'the window begins with the warm-up',
    file: 'load/timetable.ts',
    from: 'this.measureFromNs = atNs + this.task.warmupMs * 1e6',
    to: 'this.measureFromNs = atNs',
  },
  {
    what: 'rates are divided by the time until the last straggler',
    file: 'load/replies.ts',
    from: 'return { seconds: lengthNs / 1e9,',
    to: 'return { seconds: Math.max(...logs.map(log => log.lastNs)) / 1e9,',
  },
  {
    what: 'the interval of the replies begins with the window, not with the first reply',
    file: 'load/replies.ts',
    from: 'log.byClock ? log.lengthNs : firstNs + lengthNs - log.fromNs',
    to: 'log.byClock ? log.lengthNs : firstNs * 0 + lengthNs',
  },
  {
    what: 'the replies of the first thread alone count',
    file: 'load/replies.ts',
    from: 'const achieved = logs.reduce(',
    to: 'const achieved = logs.slice(0, 1).reduce(',
  },
  {
    what: 'the response of streams counts from the send',
    file: 'load/timetable.ts',
    from: 'response.record(now - plannedNs)',
    to: 'response.record(now - issuedNs)',
  },
  {
    what: 'the service counts from the plan',
    file: 'load/timetable.ts',
    from: 'service.record(now - issuedNs)',
    to: 'service.record(now - plannedNs)',
  },
  {
    what: 'a deferred message is not planned',
    file: 'load/timetable.ts',
    from: 'counters[counter.messagesPlanned]! += count\n',
    to: 'counters[counter.messagesPlanned]! += count - deferred\n',
  },
  {
    what: 'loss is of what was sent, not of what was planned',
    file: 'report/summarize.ts',
    from: 'const lost = total.messagesPlanned - total.messagesReceived',
    to: 'const lost = total.messagesSent - total.messagesReceived',
  },
  {
    what: 'datagrams that never came count as back',
    file: 'load/datagram-stream.ts',
    from: 'this.#traffic.lose(this.index, sequence, now)',
    to: 'this.#traffic.meter.counters[counter.messagesReceived]!++',
  },
  {
    what: 'a percentile is of a rank below its own',
    file: 'metrics/histogram.ts',
    from: 'Math.ceil(wanted[index]! * total)',
    to: 'Math.ceil(wanted[index]! * total * 0.9)',
  },
  {
    what: 'a connection that lacks an answer at the end has not failed',
    file: 'load/stream.ts',
    from: 'if (this.failed || this.inFlight === 0) return false',
    to: 'if (this.failed || this.inFlight >= 0) return false',
  },
]
