/** Real proxies of Debian on a host of a lab, and small broken ones; all listen on `frontPort`. */
import { mkdtempSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../client.ts'
import { root, type Program } from '../program.ts'
import type { DatagramRelayKind } from './datagram-relay.ts'
import type { Host } from './host.ts'
import type { RelayKind } from './relay.ts'

/** A namespace has its ports for itself. */
export const frontPort = 8000

export interface Target {
  ip4: string
  port: number
}

/** Whether a program listens on a port, as its own namespace tells it. */
function listens({ child }: Program, port: number, table: string): boolean {
  if (child.exitCode !== null) throw new Error('The proxy has ended.')
  try {
    const proc = `/proc/${child.pid}`
    if (readlinkSync(`${proc}/ns/net`) === readlinkSync('/proc/self/ns/net')) return false
    const local = `:${port.toString(16).toUpperCase().padStart(4, '0')} `
    const state = table.startsWith('udp') ? '07' : '0A'
    return [table, `${table}6`].some(name =>
      readFileSync(`${proc}/net/${name}`, 'utf8')
        .split('\n')
        .some(line => line.includes(local) && line.includes(` ${state} `)),
    )
  } catch {
    return false
  }
}

/** Starts a proxy on a host; what it is started with may be a file in a folder that goes later. */
export async function proxy(
  host: Host,
  command: string,
  args: readonly string[],
  { port = frontPort, table = 'tcp' }: { port?: number; table?: 'tcp' | 'udp' } = {},
): Promise<string> {
  const program = host.run(command, args)
  try {
    await until(() => listens(program, port, table))
  } catch (error) {
    const { stdout, stderr } = await program.finished
    throw new Error(`${command} ended: ${stdout.toString()}${stderr}`, { cause: error })
  }
  return `${host.ip4}:${port}`
}

/** Runs a program that reads its configuration from a file. */
async function configured(
  host: Host,
  text: (folder: string) => string,
  command: (file: string, folder: string) => [string, ...string[]],
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'yodel-lab-'))
  host.folders.push(folder)
  const file = join(folder, 'conf')
  writeFileSync(file, text(folder))
  const [program, ...args] = command(file, folder)
  return proxy(host, program, args)
}

/**
 * haproxy with its usual timeouts, in front of one server.
 * @param lines for the section `listen`, such as `mode http`
 * @param options of the server, such as `send-proxy`
 */
export const haproxy = (host: Host, { ip4, port }: Target, lines: string[] = [], options = '') =>
  configured(
    host,
    () => `global
 maxconn 1000
defaults
 mode tcp
 timeout connect 5s
 timeout client 1m
 timeout server 1m
listen front
 bind :::${frontPort} v4v6
 ${lines.join('\n ')}
 server s ${ip4}:${port} ${options}
`,
    file => ['haproxy', '-db', '-f', file],
  )

const nginx = (host: Host, body: (folder: string) => string) =>
  configured(
    host,
    folder => `daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log;
${body(folder)}
events { worker_connections 512; }
`,
    (file, folder) => ['nginx', '-p', folder, '-c', file],
  )

/** Where Debian has it (libnginx-mod-stream). */
export const streamModule = '/usr/lib/nginx/modules/ngx_stream_module.so'

/** nginx as a proxy of bytes, as it comes, and what else stands in its section `server`. */
export const nginxStream = (host: Host, { ip4, port }: Target, lines = '') =>
  nginx(
    host,
    () => `load_module ${streamModule};
stream { server { listen ${frontPort}; proxy_pass ${ip4}:${port}; ${lines} } }`,
  )

/** nginx as a proxy of HTTP, as it comes, and what else stands in its section `location`. */
export const nginxHttp = (host: Host, { ip4, port }: Target, lines = '', server = '') =>
  nginx(host, folder => {
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map(name => `${name}_temp_path ${folder}/${name};`)
      .join(' ')
    const location = `location / { proxy_pass http://${ip4}:${port}; ${lines} }`
    const section = `server { listen ${frontPort}; ${server} ${location} }`
    return `http { access_log off; ${temporary} ${section} }`
  })

export const certificate = `${root}test/peers/tls/server.pem`
export const certificateKey = `${root}test/peers/tls/server.key`

/** stunnel ends TLS towards the client with a certificate of its own. */
export const stunnel = (host: Host, { ip4, port }: Target, lines: string[] = []) =>
  configured(
    host,
    folder => `foreground = yes
pid = ${folder}/pid
syslog = no
[front]
accept = ${frontPort}
connect = ${ip4}:${port}
cert = ${certificate}
key = ${certificateKey}
${lines.join('\n')}
`,
    file => ['stunnel4', file],
  )

/** Our own proxy, broken in this way. */
export const broken = (host: Host, { ip4, port }: Target, kind: RelayKind) => {
  const file = `${root}build/test/lab/relay.js`
  return proxy(host, process.execPath, [file, kind, ip4, `${port}`, `${frontPort}`])
}

export const brokenDatagrams = (host: Host, { ip4, port }: Target, kind: DatagramRelayKind) => {
  const file = `${root}build/test/lab/datagram-relay.js`
  const args = [file, kind, ip4, `${port}`, `${frontPort}`, host.ip4]
  return proxy(host, process.execPath, args, { table: 'udp' })
}

/** socat for each connection: `options` for its listening side, `address` for the other one. */
export const socat = (host: Host, address: string, options = '') =>
  proxy(host, 'socat', [`TCP-LISTEN:${frontPort},fork,reuseaddr${options}`, address])
