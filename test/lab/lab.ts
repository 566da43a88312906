/**
 * Hosts as network namespaces of Linux, with links and routers between them, for tests of paths
 * that are bad in a known way (defects.ts). Nothing outside the namespaces is touched.
 *
 *     await using lab = await Lab.create(chain('client', 'near', 'far', 'server'))
 *     const { url } = await lab.host('server').serve()
 *     await lose(lab.host('near'), 'far', 0.02)
 */
import { execFile, spawnSync } from 'node:child_process'
import { readdirSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { Host } from './host.ts'

export type Link = readonly [one: string, other: string]

/** Links from each to the next. */
export const chain = (...names: string[]): Link[] =>
  names.slice(1).map((name, n) => [names[n]!, name])

/** The names of all namespaces of labs begin so; the process that made it follows. */
const prefix = 'yodel-lab-'
const mine = `${prefix}${process.pid}-`
let made = 0

/** Why there can be no lab here; false if there can be. */
export const noLab: string | false = (() => {
  if (process.platform !== 'linux') return 'network namespaces need Linux'
  if (process.getuid?.() !== 0) return 'network namespaces need root'
  for (const command of ['ip', 'nft', 'tc', 'setpriv'])
    if (spawnSync(command, ['--help']).error) return `${command} is not installed`
  const name = `${mine}trial`
  const script = `ip netns add ${name} && ip netns exec ${name} nft add table inet lab`
  const { status, stderr } = spawnSync('sh', ['-c', script], { encoding: 'utf8' })
  spawnSync('ip', ['netns', 'del', name])
  return status !== 0 && `no network namespaces here: ${stderr.trim().split('\n')[0]}`
})()

export class Lab implements AsyncDisposable {
  readonly #hosts: Map<string, Host>
  readonly #leave = () => remove([...this.#hosts.values()].map(({ namespace }) => namespace))

  /** Hosts are those that the links name. One with several links is a router. */
  static async create(links: readonly Link[]): Promise<Lab> {
    sweep()
    const lab = new Lab(links)
    process.once('exit', lab.#leave)
    try {
      await script(layOut([...lab.#hosts.values()], links))
    } catch (error) {
      await lab[Symbol.asyncDispose]()
      throw error
    }
    return lab
  }

  private constructor(links: readonly Link[]) {
    const number = ++made
    const names = [...new Set(links.flat())]
    this.#hosts = new Map(
      names.map(name => {
        const addresses = links.flatMap((link, n) =>
          link.includes(name) ? [[other(link, name), addressesOn(n, link, name)] as const] : [],
        )
        return [name, new Host(name, `${mine}${number}-${name}`, new Map(addresses))]
      }),
    )
  }

  host(name: string): Host {
    const host = this.#hosts.get(name)
    if (!host) throw new Error(`This lab has no host ${name}.`)
    return host
  }

  /** What a name means on all hosts, as /etc/hosts says it; for programs started after this. */
  name(name: string, ...addresses: string[]): void {
    const text = addresses.map(address => `${address} ${name}\n`).join('')
    for (const { namespace } of this.#hosts.values()) {
      mkdirSync(`/etc/netns/${namespace}`, { recursive: true })
      writeFileSync(`/etc/netns/${namespace}/hosts`, `127.0.0.1 localhost\n${text}`)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off('exit', this.#leave)
    const hosts = [...this.#hosts.values()]
    // What a program has started may outlive it, and holds its output open.
    for (const { namespace } of hosts) endAll(namespace)
    await Promise.all(hosts.map(host => host[Symbol.asyncDispose]()))
    remove(hosts.map(({ namespace }) => namespace))
  }
}

const other = ([one, two]: Link, name: string) => (one === name ? two : one)

/** Each link is a network of its own, of both families. */
function addressesOn(link: number, [one]: Link, name: string) {
  const last = one === name ? 1 : 2
  return { ip4: `10.77.${link}.${last}`, ip6: `fd77:0:0:${link}::${last}` }
}

/** The address of the same host on the link, which routers need. */
const local = (ip6: string) => `fe80::${ip6.slice(ip6.lastIndexOf(':') + 1)}`

/** The commands that make all of it, in as few runs of ip as can be. */
function layOut(hosts: readonly Host[], links: readonly Link[]): string {
  const byName = new Map(hosts.map(host => [host.name, host]))
  const space = (name: string) => byName.get(name)!.namespace
  const make = [
    ...hosts.map(({ namespace }) => `netns add ${namespace}`),
    ...links.map(
      ([a, b]) =>
        `link add to-${b} netns ${space(a)} type veth peer name to-${a} netns ${space(b)}`,
    ),
  ]
  const up = hosts.map(({ namespace, addresses }) =>
    batch(namespace, [
      'link set lo up',
      // Packets go over the link as they would over a wire: never many joined into one.
      ...[...addresses.keys()].map(
        neighbour => `link set to-${neighbour} addrgenmode none gso_max_segs 1 up`,
      ),
    ]),
  )
  // With the links up and no search for others that have them, addresses are there at once.
  const reach = hosts.map(host =>
    batch(host.namespace, [
      ...[...host.addresses].flatMap(([neighbour, { ip4, ip6 }]) =>
        [`${ip4}/24`, `${ip6}/64 nodad`, `${local(ip6)}/64 nodad`].map(
          address => `addr add ${address} dev to-${neighbour}`,
        ),
      ),
      ...routesOf(host, byName, links),
    ]),
  )
  const routers = hosts
    .filter(({ addresses }) => addresses.size > 1)
    .map(({ namespace }) => `ip netns exec ${namespace} sh -c '${forwarding}'`)
  return [batch(undefined, make), ...up, ...reach, ...routers].join('\n')
}

const batch = (namespace: string | undefined, lines: readonly string[]) =>
  `ip ${namespace ? `-n ${namespace} ` : ''}-batch - <<end\n${lines.join('\n')}\nend`

const forwarding = [
  'echo 1 >/proc/sys/net/ipv4/ip_forward',
  'echo 1 >/proc/sys/net/ipv6/conf/all/forwarding',
].join('; ')

/** The shortest way to each network. */
function routesOf(host: Host, byName: Map<string, Host>, links: readonly Link[]): string[] {
  const via = new Map<string, string>([[host.name, '']])
  const lines: string[] = []
  const known = new Set([...links.keys()].filter(n => links[n]!.includes(host.name)))
  // A map yields what is added while it is gone through: nearest first.
  for (const [name, first] of via)
    for (const [n, link] of links.entries()) {
      if (!link.includes(name)) continue
      const next = other(link, name)
      if (!known.has(n)) {
        known.add(n)
        const hop = byName.get(first)!.addresses.get(host.name)!
        lines.push(
          `route add 10.77.${n}.0/24 via ${hop.ip4}`,
          `route add fd77:0:0:${n}::/64 via ${hop.ip6}`,
        )
      }
      if (!via.has(next)) via.set(next, first || next)
    }
  return lines
}

/** Runs it as root of the machine, to its end; rejects with what it said. */
async function script(text: string): Promise<void> {
  await promisify(execFile)('sh', ['-ec', text])
}

/** Ends what runs in the namespaces, and removes them. */
function remove(namespaces: readonly string[]): void {
  for (const namespace of namespaces) {
    endAll(namespace)
    spawnSync('ip', ['netns', 'del', namespace])
    rmSync(`/etc/netns/${namespace}`, { recursive: true, force: true })
  }
}

function endAll(namespace: string): void {
  const { stdout } = spawnSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' })
  for (const pid of stdout.split('\n').filter(Boolean))
    try {
      process.kill(Number(pid), 'SIGKILL')
    } catch {
      // It has ended meanwhile.
    }
}

/** Removes what processes have left that could not do it themselves. */
export function sweep(): void {
  const folder = '/run/netns'
  if (!existsSync(folder)) return
  const left = readdirSync(folder).filter(name => {
    const maker = new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1]
    return maker !== undefined && !existsSync(`/proc/${maker}`)
  })
  remove(left)
}
