/** A server that answered the first look, and takes no connection any more. */
import type { UserError } from '../vocabulary/errors.ts'
import type { FindingKind, Found } from './question.ts'

export const gone = {
  outcome: 'fails',
  effect: 'Clients that connect now get an error; those that are connected may still be served.',
  advice:
    'See whether the server still runs, and its log: a crash, a restart, a listener that it ' +
    'closed, a supervisor that gave up. If it runs, something refuses many connections in a ' +
    'short time: a firewall with a rate limit, fail2ban, a balancer whose health check failed.',
} as const satisfies FindingKind

/** Errors of connecting whose cause is not this machine. */
const refusals = /\((ECONNREFUSED|ETIMEDOUT|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|ENOENT)\)/
export const isGone = ({ message }: UserError): boolean => refusals.test(message)

/** @param passed what had worked until then; may be empty */
export function foundGone({ message }: UserError, passed: string): Found<'gone'> {
  const failed = message.replace(/\.$/, '')
  return {
    name: 'gone',
    said: `a server answered at first, and now a new connection fails: ${failed}`,
    evidence: [
      `the first look got an answer; a later connection did not open: ${failed}`,
      ...(passed === '' ? [] : [`until then ${passed}`]),
    ],
  }
}
