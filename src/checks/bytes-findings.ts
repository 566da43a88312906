/** What the question of bytes may find, what that does to programs, and what to look at. */
import type { FindingKind } from './question.ts'

const translators =
  'Look for a program on the way that treats the stream as text, or has a protocol of its own: a ' +
  'telnet or terminal server, a serial line, `socat` with `crnl` or `pty`, a proxy that ' +
  'inspects content.'

export const byteFindings = {
  'no-echo': {
    outcome: 'fails',
    effect: 'This is not an echo endpoint, or something on the way answers in its place.',
    advice:
      'Check the port and the transport of the address. If the right server runs there, a proxy ' +
      'or a captive portal answers for it.',
  },
  silent: {
    outcome: 'fails',
    effect: 'A program that waits for an answer waits until its own timeout.',
    advice:
      'See whether the server reads at all (its log, its CPU, `ss -tn` on its machine: a full ' +
      'Recv-Q means it does not), and whether a proxy accepts on its behalf without a server ' +
      'behind it.',
  },
  late: {
    outcome: 'fails',
    effect: 'Programs with a shorter timeout give up; those without one seem to hang.',
    advice:
      'The server, or a queue on the way, holds each message for seconds: look at its load, its ' +
      'log, and at what it asks before it answers (DNS, a database). `ping` tells whether it is ' +
      'the network.',
  },
  greeting: {
    outcome: 'fails',
    effect:
      'The first message that a client reads is not an answer to what it sent; from then on each ' +
      'answer is taken for the answer to the message before.',
    advice:
      'Look for a server that greets (a banner), or a proxy that inserts a header or a notice.',
  },
  crossed: {
    outcome: 'fails',
    effect: 'A client reads what was meant for another one.',
    advice:
      'Something at the other end or on the way has one connection, or one buffer, for several ' +
      'clients, and gives a late answer to whichever is there then: a server for a serial line, ' +
      'a pool of connections, a proxy with a bug.',
  },
  changed: {
    outcome: 'fails',
    effect: 'Binary protocols, compressed and encrypted data break; text may break silently.',
    advice: translators,
  },
  corrupted: {
    outcome: 'fails',
    effect:
      'Files, packages and databases are damaged now and then, without an error; TLS and ssh ' +
      'break off ("bad record MAC", "corrupted MAC on input").',
    advice:
      'The TCP checksum was right, so a machine changed the bytes and then made a new checksum: ' +
      'a router, a firewall, a proxy or a host with bad memory or a bad network card. Take one ' +
      'machine after the other out of the path, test its memory, and switch offloading off there ' +
      '(`ethtool -K IFACE rx off tx off tso off gro off`).',
  },
  added: {
    outcome: 'fails',
    effect:
      'A program that counts bytes or frames gets out of step, and reads rubbish from there on.',
    advice: translators,
  },
  lost: {
    outcome: 'fails',
    effect: 'Messages are too short; a program that counts bytes waits for ever for the rest.',
    advice: translators,
  },
  'line-buffered': {
    outcome: 'fails',
    effect: 'A protocol hangs if its messages do not end with a line end.',
    advice:
      'The server, or a program on the way, reads by line: `cat` behind a terminal, readline(), ' +
      'for-line loops, stdio with line buffers. Let it read what there is.',
  },
  stuck: {
    outcome: 'fails',
    effect: 'A program that sends this waits for its answer until its own timeout.',
    advice:
      'If small pieces are stuck, something waits for more before it passes them on. If large ' +
      'pieces are stuck, ask `--only sizes`. The log of each proxy on the way says what it ' +
      'rejects.',
  },
  closed: {
    outcome: 'fails',
    effect: 'A connection that carries such bytes breaks, in the middle of its work.',
    advice:
      'Something parses the stream and gives up: a proxy in HTTP mode, an inspecting firewall, a ' +
      'server with a limit. See their logs at this instant.',
  },
} as const satisfies Record<string, FindingKind>

export type ByteFinding = keyof typeof byteFindings
