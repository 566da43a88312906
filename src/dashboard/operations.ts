/** The requests of the API: what each takes, and what it answers. A new one has its row here. */
import * as contract from './contract.ts'
import * as accounts from './contract-accounts.ts'
import { about, boolean, array, object, optional } from './shape.ts'
import { string, wholeNumber, type ObjectShape, type Shape } from './shape.ts'

export interface Operation {
  summary: string
  /** Parameters of the query. */
  query?: ObjectShape
  body?: ObjectShape
  /** 200 if it is not given. */
  status?: number
  /** What the answer is, in a few words. */
  says?: string
  /** The JSON of the answer. */
  answer?: Shape<unknown>
  /** The type of an answer that is not JSON, or that can be had in addition to JSON. */
  type?: string
  /** A second status that is not an error, and what it means. */
  besides?: [status: number, says: string]
  /** Never needs a token. */
  isOpen?: true
}

/** Something whose form is described elsewhere. */
const anything: Shape<object> = {
  json: { type: 'object' },
  what: 'an object',
  accepts: (value): value is object => typeof value === 'object' && value !== null,
}

const listenerFaults = array(contract.listenerFaults)

export const operations = {
  'GET /api/server': { summary: 'What runs, and where it listens.', answer: contract.serverInfo },
  'GET /api/history': {
    summary: 'The last 15 minutes, oldest first.',
    answer: array(contract.second),
  },
  'GET /api/events': {
    summary: `Server-sent events: ${Object.keys(contract.events).join(', ')}.`,
    says: 'A stream without end.',
    type: 'text/event-stream',
  },
  'GET /api/timeline': {
    summary: 'The lives of the newest 500 clients, oldest first.',
    answer: array(contract.lane),
  },
  'GET /api/connections': {
    summary: 'Which clients are connected, and which wait.',
    query: contract.connectionQuery,
    answer: contract.connectionPage,
  },
  'DELETE /api/connections': {
    summary: 'Close those that a filter matches, or all.',
    query: contract.killQuery,
    answer: contract.killed,
  },
  'DELETE /api/connections/:id': { summary: 'Close one.', answer: contract.killed },
  'GET /api/faults': { summary: 'The faults in force.', answer: listenerFaults },
  'PUT /api/faults': {
    summary: 'Replace the faults.',
    body: contract.faultsWanted,
    answer: listenerFaults,
  },
  'DELETE /api/faults': {
    summary: 'Go back to the faults with which the server was started.',
    answer: listenerFaults,
  },
  'POST /api/drain': {
    summary: 'Stop accepting; exit when the clients have gone.',
    status: 202,
    says: 'It has begun.',
    answer: object('', { draining: boolean }),
  },
  'POST /api/accounts': {
    summary: 'Keep an account of each client that comes from now on.',
    body: accounts.accountsWanted,
    status: 201,
    says: 'It has begun.',
    answer: accounts.accountsKept,
  },
  'GET /api/accounts': {
    summary: 'What the server saw of each client since then.',
    answer: accounts.accountList,
  },
  'POST /api/accounts/again': {
    summary: 'Send the last datagram of a client of udp back to it once more.',
    body: accounts.againWanted,
    status: 202,
    says: 'It is on its way, if there is such a client.',
    answer: accounts.againWanted,
  },
  'POST /api/accounts/marks': {
    summary: 'For 5 s, read DSCP and ECN of what a client of udp sends, and set them on answers.',
    body: accounts.marksWanted,
    status: 202,
    says: 'It has begun, if there is such a client.',
    answer: accounts.marksWanted,
  },
  'GET /api/benches': {
    summary: 'The last 20, newest first.',
    answer: array(contract.benchRun),
  },
  'POST /api/benches': {
    summary: 'Start one; only one runs at a time.',
    body: contract.benchWanted,
    status: 201,
    says: 'It has begun.',
    answer: contract.benchRun,
  },
  'GET /api/benches/:id': {
    summary: 'The whole result of a finished one: docs/result.schema.json.',
    answer: anything,
  },
  'DELETE /api/benches/:id': {
    summary: 'End it early; it then has a result.',
    status: 202,
    says: 'It ends.',
    answer: object('', { stopping: string }),
  },
  'GET /api/benches/:id/report': {
    summary: 'The same as one HTML page.',
    says: 'A page.',
    type: 'text/html',
  },
  'GET /api/benches/compare': {
    summary: 'What `yodel compare` prints, or its JSON with Accept: application/json.',
    query: object('', {
      a: about('The baseline.', string),
      b: about('What to compare with it.', string),
    }),
    answer: anything,
    type: 'text/plain',
  },
  'GET /api/console': {
    summary:
      'WebSocket: each message goes to a listener and is answered with a ConsoleReply; while it ' +
      'waits to be served, a ConsoleWaiting comes once a second.',
    query: object('', { listener: about('Which one; 0 without it.', optional(wholeNumber(), 0)) }),
    status: 101,
    says: 'It is open.',
  },
  'GET /api/openapi.json': { summary: 'This description.', answer: anything },
  'GET /metrics': {
    summary: 'For Prometheus: docs/metrics.md.',
    says: 'Text format 0.0.4.',
    type: 'text/plain',
  },
  'GET /healthz': {
    summary: 'Whether it lives.',
    says: 'It does.',
    type: 'text/plain',
    isOpen: true,
  },
  'GET /readyz': {
    summary: 'Whether it takes clients.',
    says: 'It does.',
    type: 'text/plain',
    besides: [503, 'It is draining, or does not listen any more.'],
    isOpen: true,
  },
} satisfies Record<string, Operation>

/** Method and path; `:id` stands for a name. */
export type OperationKey = keyof typeof operations
