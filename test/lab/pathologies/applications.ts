/** What proxies of TLS, HTTP and WebSocket do. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { certificate, certificateKey, haproxy, nginxHttp, stunnel } from '../middleboxes.ts'
import type { Path } from '../path.ts'
import { target, type Pathologies } from './pathology.ts'

const http = (path: Path) => target(path, 'http://0.0.0.0:0')
const ws = (path: Path) => target(path, 'ws://0.0.0.0:0')

/** The certificate and key in one file, as haproxy wants them. */
function pemOf(path: Path): string {
  const folder = mkdtempSync(join(tmpdir(), 'yodel-lab-'))
  path.far.folders.push(folder)
  const file = join(folder, 'both.pem')
  writeFileSync(file, readFileSync(certificate, 'utf8') + readFileSync(certificateKey, 'utf8'))
  return file
}

/** haproxy that ends TLS, and speaks it to the server again. */
const terminated = (settings: string) => async (path: Path) => {
  const server = await target(path, 'tls://0.0.0.0:0')
  const bind = `bind :8443 ssl crt ${pemOf(path)} ${settings}`
  const front = await haproxy(path.far, server, [bind], 'ssl verify none')
  return `tls://${front.replace(/\d+$/, '8443')}`
}

/** haproxy that takes the subprotocol of WebSocket away. */
const withoutProtocol = (where: 'http-request' | 'http-response') => async (path: Path) => {
  const server = await target(path, 'ws://0.0.0.0:0', '--deflate')
  const rule = `${where} del-header Sec-WebSocket-Protocol`
  return `ws://${await haproxy(path.far, server, ['mode http', rule])}`
}

/**
 * nginx stands between: the server sees it. And it stops sending a request once its answer has
 * begun, if the server cannot take the rest at that moment, which is a matter of chance.
 */
const seenToo = { proxy: 'differs', http: 'differs', sizes: 'differs' } as const

export const applications: Pathologies = {
  'TLS is intercepted': {
    made: 'stunnel with a certificate of its own',
    build: async path => `tls://${await stunnel(path.far, await target(path))}`,
    question: 'tls',
    outcome: 'fails',
    finding: 'untrusted',
    // stunnel ends a connection at the first FIN.
    also: { 'half-close': 'fails' },
    needs: ['stunnel4'],
  },
  'a balancer ends TLS': {
    made: 'haproxy with a certificate of its own, and TLS to the server',
    build: terminated(''),
    question: 'tls',
    outcome: 'differs',
    finding: 'intercepted',
    both: true,
    also: { proxy: 'differs' },
    needs: ['haproxy'],
    options: ['--insecure'],
  },
  'only TLS 1.2 passes': {
    made: 'haproxy with ssl-max-ver TLSv1.2',
    build: terminated('ssl-max-ver TLSv1.2'),
    question: 'tls',
    outcome: 'differs',
    finding: 'not-1.3',
    needs: ['haproxy'],
    options: ['--insecure'],
  },
  'WebSocket is not passed on': {
    made: 'nginx with its defaults: no Upgrade header',
    build: async path => `ws://${await nginxHttp(path.far, await ws(path))}`,
    question: 'ws',
    outcome: 'fails',
    finding: 'no-upgrade',
    needs: ['nginx'],
  },
  'WebSocket ends when it is silent': {
    made: 'haproxy with timeout tunnel 3s',
    build: async path =>
      `ws://${await haproxy(path.far, await ws(path), ['mode http', 'timeout tunnel 3s'])}`,
    question: 'idle',
    outcome: 'differs',
    finding: 'closed',
    needs: ['haproxy'],
  },
  'compression is taken away': {
    made: 'haproxy that deletes Sec-WebSocket-Extensions',
    build: async path => {
      const server = await target(path, 'ws://0.0.0.0:0', '--deflate')
      const rule = 'http-request del-header Sec-WebSocket-Extensions'
      return `ws://${await haproxy(path.far, server, ['mode http', rule])}`
    },
    question: 'ws',
    outcome: 'differs',
    finding: 'no-deflate',
    both: true,
    also: { proxy: 'differs' },
    needs: ['haproxy'],
  },
  'the subprotocol is taken away': {
    made: 'haproxy that deletes Sec-WebSocket-Protocol from requests',
    build: withoutProtocol('http-request'),
    question: 'ws',
    outcome: 'fails',
    finding: 'no-subprotocol',
    side: 'up',
    both: true,
    also: { proxy: 'differs' },
    needs: ['haproxy'],
  },
  'the subprotocol is taken out of the answer': {
    made: 'haproxy that deletes Sec-WebSocket-Protocol from answers',
    build: withoutProtocol('http-response'),
    question: 'ws',
    outcome: 'fails',
    finding: 'no-subprotocol',
    side: 'down',
    both: true,
    also: { proxy: 'differs' },
    needs: ['haproxy'],
  },
  'a proxy holds a request until it is whole': {
    made: 'nginx with its default (proxy_request_buffering on)',
    build: async path => `http://${await nginxHttp(path.far, await http(path))}`,
    question: 'http',
    outcome: 'differs',
    finding: 'buffered',
    also: seenToo,
    needs: ['nginx'],
  },
  'a proxy stops a request at its answer': {
    made: 'nginx with its defaults, and a server that answers while it reads',
    build: async path => `http://${await nginxHttp(path.far, await http(path))}`,
    question: 'sizes',
    outcome: 'differs',
    finding: 'early-answer',
    also: seenToo,
    needs: ['nginx'],
  },
  'a proxy takes no large body': {
    made: 'nginx with client_max_body_size 64k',
    build: async path =>
      `http://${await nginxHttp(path.far, await http(path), 'client_max_body_size 64k;')}`,
    question: 'http',
    outcome: 'fails',
    finding: 'body-limit',
    also: { ...seenToo, sizes: 'fails' },
    needs: ['nginx'],
  },
  'a proxy takes no large header': {
    made: 'nginx with large_client_header_buffers 2 1k',
    build: async path =>
      `http://${await nginxHttp(
        path.far,
        await http(path),
        '',
        'client_header_buffer_size 1k; large_client_header_buffers 2 1k;',
      )}`,
    question: 'http',
    outcome: 'differs',
    finding: 'header-limit',
    also: seenToo,
    needs: ['nginx'],
  },
  'a proxy ends connections after 3 requests': {
    made: 'nginx with keepalive_requests 3',
    build: async path =>
      `http://${await nginxHttp(path.far, await http(path), '', 'keepalive_requests 3;')}`,
    question: 'http',
    outcome: 'differs',
    finding: 'no-keep-alive',
    also: seenToo,
    needs: ['nginx'],
  },
  'a proxy keeps connections for 2 s without a request': {
    made: 'nginx with keepalive_timeout 2s',
    build: async path =>
      `http://${await nginxHttp(path.far, await http(path), '', 'keepalive_timeout 2s;')}`,
    question: 'idle',
    outcome: 'differs',
    finding: 'short-keep-alive',
    also: seenToo,
    needs: ['nginx'],
  },
  'a proxy drops trailers': {
    made: 'nginx that streams (proxy_http_version 1.1, proxy_request_buffering off)',
    build: async path => {
      const lines = 'proxy_http_version 1.1; proxy_request_buffering off; proxy_buffering off;'
      return `http://${await nginxHttp(path.far, await http(path), lines)}`
    },
    question: 'http',
    outcome: 'differs',
    finding: 'no-trailers',
    also: seenToo,
    needs: ['nginx'],
  },
  'a proxy ends HTTP/2 after 5 requests': {
    made: 'nginx with TLS, http2 and keepalive_requests 5',
    build: async path => {
      const tls = `ssl_certificate ${certificate}; ssl_certificate_key ${certificateKey};`
      const section = `listen 8443 ssl http2; ${tls} keepalive_requests 5;`
      const front = await nginxHttp(path.far, await http(path), '', section)
      return `https://${front.replace(/\d+$/, '8443')}`
    },
    question: 'http',
    outcome: 'differs',
    finding: 'h2-ends',
    // nginx says no end of TLS to what has agreed on h2 and says nothing.
    also: { ...seenToo, tls: 'differs' },
    needs: ['nginx'],
    options: ['--insecure'],
  },
}
