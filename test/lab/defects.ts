/** What can be wrong with a path, each as routers do it. None of them lasts longer than its lab. */
import type { Host } from './host.ts'
import type { Path } from './path.ts'

/** The way of a packet that a router sends on to this neighbour. */
const to = (neighbour: string) => `oifname "to-${neighbour}"`

/**
 * A slow link in one direction, with a buffer of bounded size. Packets that find it full are
 * dropped.
 * @param latencyMs how long a packet may wait in the buffer
 */
export const slow = (host: Host, neighbour: string, rate: string, latencyMs: number) =>
  host.sh(
    `tc qdisc add dev to-${neighbour} root tbf rate ${rate} burst 10kb latency ${latencyMs}ms`,
  )

/** Loses this share of the packets on the way to the neighbour; counts them as "lost-NEIGHBOUR". */
export async function lose(router: Host, neighbour: string, share: number, which = '') {
  const [counter, perMillion] = [`lost-${neighbour}`, Math.round(share * 1e6)]
  await router.counter(counter)
  const chance = `numgen random mod 1000000 < ${perMillion}`
  await router.nft('forward', `${to(neighbour)} ${which} ${chance} counter name "${counter}" drop`)
}

/** A link on which larger packets do not fit, in both directions. */
export async function narrow(one: Host, two: Host, mtuBytes: number) {
  await one.sh(`ip link set to-${two.name} mtu ${mtuBytes}`)
  await two.sh(`ip link set to-${one.name} mtu ${mtuBytes}`)
}

/** Says nothing of packets that are too large, and lets no other router say it. */
export async function silence(router: Host) {
  const tooLarge = [
    'icmp type destination-unreachable icmp code 4 drop',
    'icmpv6 type packet-too-big drop',
  ]
  await router.nft('output', ...tooLarge)
  await router.nft('forward', ...tooLarge)
}

/** Drops without a word what is larger than this, in one direction only. */
export const dropLarge = (router: Host, neighbour: string, largestBytes: number) =>
  router.nft('forward', `${to(neighbour)} meta length > ${largestBytes} drop`)

/** Drops datagrams that came in fragments, as many firewalls do. */
export const dropFragments = (router: Host) =>
  router.nft('early', 'ip frag-off & 0x3fff != 0 drop', 'exthdr frag exists drop')

/** Lets no endpoint send segments larger than this. */
export const clampMss = (router: Host, bytes: number) =>
  router.nft(
    'forward',
    `tcp flags & syn == syn tcp option maxseg size > ${bytes} tcp option maxseg size set ${bytes}`,
  )

/** Hides the addresses behind the router, as seen by this neighbour. */
export const masquerade = (router: Host, neighbour: string) =>
  router.nft('source', `${to(neighbour)} masquerade`)

/**
 * Tracks connections, and forgets one that was silent for this long. It swallows what comes then,
 * or answers with a reset.
 */
export async function forget(router: Host, seconds: number, how: 'drop' | 'reject') {
  const refusal = how === 'drop' ? 'drop' : 'meta l4proto tcp reject with tcp reset'
  await router.nft('forward', `ct state invalid ${refusal}`)
  await router.sysctl({
    'net.netfilter.nf_conntrack_tcp_timeout_established': seconds,
    'net.netfilter.nf_conntrack_tcp_loose': 0,
    'net.netfilter.nf_conntrack_udp_timeout': seconds,
    'net.netfilter.nf_conntrack_udp_timeout_stream': seconds,
  })
}

/** Sets the marks of all packets to nothing. */
export const bleach = (router: Host) =>
  router.nft('forward', 'ip dscp set cs0', 'ip ecn set not-ect', 'ip6 dscp set cs0')

/** Clears ECN in one direction only. */
export const bleachEcn = (router: Host, neighbour: string) =>
  router.nft('forward', `${to(neighbour)} ip ecn set not-ect`)

/** Puts all packets of one direction into this class: `cs1`, `af11`. */
export const rewriteDscp = (router: Host, neighbour: string, dscp: string) =>
  router.nft('forward', `${to(neighbour)} ip dscp set ${dscp}`)

/** Drops what has this class. */
export const dropDscp = (router: Host, neighbour: string, dscp: string) =>
  router.nft('forward', `${to(neighbour)} ip dscp ${dscp} drop`)

/** Shortens the way that packets may still have. */
export const age = (router: Host, ttl: number) => router.nft('forward', `ip ttl set ${ttl}`)

/** Lets nothing of one family through, without a word. */
export const block = (router: Host, family: 'ipv4' | 'ipv6') =>
  router.nft('forward', `meta nfproto ${family} drop`)

/** Allows this many connections to a port; refuses what is beyond that, or does not answer it. */
export const limit = (router: Host, port: number, connections: number, how: 'drop' | 'reject') => {
  const refusal = how === 'drop' ? 'drop' : 'reject with tcp reset'
  return router.nft(
    'forward',
    `tcp dport ${port} ct state new ct count over ${connections} ${refusal}`,
  )
}

/** Allows this many datagrams per second, and drops the rest. */
export const police = (router: Host, neighbour: string, perSecond: number) =>
  router.nft(
    'forward',
    `${to(neighbour)} meta l4proto udp limit rate over ${perSecond}/second burst 20 packets drop`,
  )

/** Drops the bytes that are above a rate, without a buffer, as providers do. */
export const policeBytes = (router: Host, neighbour: string, kilobytesPerSecond: number) =>
  router.nft(
    'forward',
    `${to(neighbour)} limit rate over ${kilobytesPerSecond} kbytes/second burst 60 kbytes drop`,
  )

/**
 * Two links share the load by connection, in turn, and one of them loses what is large. (Real ones
 * go by the ports: then all connections of a test may be led to the same link by chance.)
 */
export const dropLargeOfHalf = (router: Host, neighbour: string, largestBytes: number) =>
  router.nft(
    'forward',
    `${to(neighbour)} ct state new ct mark 0 ct mark set numgen inc mod 2 offset 1`,
    `${to(neighbour)} ct mark 1 meta length > ${largestBytes} drop`,
  )

/** A router whose memory is bad: in one of so many packets a byte of the payload becomes NUL. */
export const corrupt = (router: Host, neighbour: string, oneIn: number) =>
  router.nft(
    'forward',
    `${to(neighbour)} meta l4proto tcp meta length > 200 numgen inc mod ${oneIn} == 0 ` +
      '@th,512,8 set 0x0',
  )

/** Lets few new connections to a port through, however many are open. */
export const limitNew = (router: Host, port: number) =>
  router.nft(
    'forward',
    `tcp dport ${port} ct state new limit rate over 30/minute burst 12 packets drop`,
  )

/**
 * A second host on the network of the server has its address, too; what the router believes changes
 * as both announce themselves. Nothing listens on the second one.
 */
export async function twin({ lab, far, server }: Pick<Path, 'lab' | 'far' | 'server'>) {
  const other = lab.host('twin')
  const { ip4 } = server
  const network = ip4.replace(/\d+$/, '1')
  await far.sh(`
    ip link add bridge type bridge
    for port in server twin; do ip addr flush dev to-$port; ip link set to-$port master bridge; done
    ip addr add ${network}/24 dev bridge
    ip link set bridge up`)
  await other.sh(`
    ip addr flush dev to-far
    ip addr add ${ip4}/24 dev to-far
    ip route replace default via ${network}`)
  const [one, two] = await Promise.all(
    [server, other].map(async host => (await host.sh('cat /sys/class/net/to-far/address')).trim()),
  )
  const announce = (mac: string) => `ip neigh replace ${ip4} lladdr ${mac} dev bridge`
  await far.sh(announce(one!))
  const loop = `while :; do sleep 3; ${announce(two!)}; sleep 0.3; ${announce(one!)}; done`
  far.run('sh', ['-c', loop])
}
