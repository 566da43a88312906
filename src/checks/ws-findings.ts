/** What the question of WebSocket may find, what that does to programs, and what to look at. */
import type { FindingKind } from './question.ts'

export const wsFindings = {
  'no-upgrade': {
    outcome: 'fails',
    effect: 'No WebSocket client gets a connection; some fall back to polling.',
    advice:
      'A proxy does not pass the upgrade on (nginx: `proxy_http_version 1.1; proxy_set_header ' +
      'Upgrade $http_upgrade; proxy_set_header Connection upgrade`), or the path of the URL is ' +
      'not that of the WebSocket server.',
  },
  stuck: {
    outcome: 'fails',
    effect: 'Messages vanish while the connection looks open.',
    advice:
      'A proxy that buffers after the upgrade, or a server that does not read: nginx needs ' +
      '`proxy_http_version 1.1`, `Upgrade` and `Connection` headers and `proxy_buffering off`.',
  },
  changed: {
    outcome: 'fails',
    effect: 'What the other side reads is not what was sent.',
    advice:
      'The server or a gateway on the way re-encodes messages; or it is not an echo endpoint.',
  },
  added: {
    outcome: 'fails',
    effect:
      'A client that counts answers takes a message for the answer to another one, from there on.',
    advice:
      'The server or a gateway greets, sends notices or messages of other clients, or answers ' +
      'twice. See what these messages say.',
  },
  kind: {
    outcome: 'differs',
    effect:
      'Browsers deliver text as string and binary as Blob or ArrayBuffer: a program that checks ' +
      'the type takes the wrong branch.',
    advice:
      'The server, or a gateway on the way, answers every message with the same kind. Look at ' +
      'its code.',
  },
  limit: {
    outcome: 'fails',
    effect: 'Longer messages close the connection, usually with 1009, or vanish.',
    advice:
      'A limit of the server or a gateway (`maxPayload` of ws, `max_message_size`, 32 KiB frames ' +
      'of AWS API Gateway). Raise it, or send in parts.',
  },
  'no-pong': {
    outcome: 'fails',
    effect: 'Clients that ping to find out whether a connection lives close good connections.',
    advice:
      'RFC 6455 demands an answer to each ping. A gateway on the way, or the server, drops it.',
  },
  'foreign-pong': {
    outcome: 'differs',
    effect:
      'A pong says only that the proxy lives: clients keep connections to a server that is gone, ' +
      'and a server that waits for pings ends connections that are in use.',
    advice:
      'A proxy or gateway on the way ends WebSocket, and opens a connection of its own to the ' +
      'server. Let it pass pings on, or let the programs ping with messages.',
  },
  'no-close': {
    outcome: 'differs',
    effect: 'Every close lasts until a timeout, and is reported as 1006, like a crash.',
    advice: 'The server or a gateway drops the connection in place of answering the close frame.',
  },
  'close-code': {
    outcome: 'differs',
    effect:
      'Programs that read the reason from a close code of 4000 or more take the wrong branch.',
    advice: 'The server answers with a code of its own, or a gateway replaces the code by another.',
  },
  'no-deflate': {
    outcome: 'differs',
    effect: 'Messages are not compressed: text takes several times the bytes.',
    advice:
      'A proxy on the way takes Sec-WebSocket-Extensions out of the request, perhaps because it ' +
      'inspects messages. Look at its rules for headers.',
  },
  'no-subprotocol': {
    outcome: 'fails',
    effect: 'Clients that need a subprotocol (MQTT, GraphQL, STOMP) close the connection at once.',
    advice: 'A proxy on the way takes Sec-WebSocket-Protocol out of the request. Let it pass.',
  },
  headers: {
    outcome: 'differs',
    effect: 'The server does not see the headers that the client sent.',
    advice:
      'A proxy is on the way. Check that you want what it adds (X-Forwarded-For, Via), and that ' +
      'you do not need what it removes (Origin, Cookie, Authorization).',
  },
} as const satisfies Record<string, FindingKind>

export type WsFinding = keyof typeof wsFindings
