/**
 * Filters datagrams that were sent to a whole network or group: if every machine answered them, one
 * datagram would cause many. A socket bound to one address never gets them. A socket bound to all
 * addresses gets them, and cannot distinguish them from others. So a filter in the kernel drops
 * them (socket(7), SO_ATTACH_FILTER). Linux.
 */
import { isIPv4 } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { DatagramRule } from '../../wire/udp/guard.ts'
import { SOL_SOCKET, SO_ATTACH_FILTER } from './kernel-numbers.ts'
import { loadLibc } from './libc.ts'

// Numbers of <asm-generic/socket.h>, <linux/filter.h>, <linux/bpf_common.h>, <linux/if_packet.h>.
const LOAD_WORD = 0x20
const LOAD_BYTE = 0x30
const JUMP_IF_EQUAL = 0x15
const JUMP_IF_AT_LEAST = 0x35
const RETURN = 0x06
/** Offsets at which a filter finds the IP header, and other facts about the packet. */
const NETWORK = 0xfff00000
const PROTOCOL = 0xfffff000
const PACKET_TYPE = 0xfffff004
const PACKET_BROADCAST = 1
const PACKET_MULTICAST = 2
const ETHERTYPE_IPV6 = 0x86dd
const ipv4DestinationAt = 16
const ipv6DestinationAt = 24

/** An instruction of the filter: it loads a word, or decides by a condition where to go on. */
interface Step {
  code: number
  k: number
  /** What to do if the condition holds; otherwise the next step follows. */
  goTo?: 'drop' | 'ipv6' | 'take'
}

/**
 * Makes the system drop datagrams that were sent to a broadcast or multicast address, unless the
 * rule is lifted. Returns whether this could be done.
 */
export function keepOutGroups(
  fd: number | undefined,
  allow: readonly DatagramRule[],
  broadcasts: ReadonlySet<string>,
): boolean {
  const libc = process.platform === 'linux' ? loadLibc() : ''
  if (typeof libc === 'string' || fd === undefined) return false
  const program = programFor(allow, broadcasts)
  const mapping = libc.map(8 * program.length)
  const view = new DataView(mapping.memory)
  for (const [index, { code, yes, no, k }] of program.entries()) {
    view.setUint16(8 * index, code, true)
    view.setUint8(8 * index + 2, yes)
    view.setUint8(8 * index + 3, no)
    view.setUint32(8 * index + 4, k, true)
  }
  const filter = Buffer.alloc(16)
  filter.writeUInt16LE(program.length, 0)
  filter.writeBigUInt64LE(BigInt(mapping.address), 8)
  const result = libc.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, filter, filter.length)
  libc.unmap(mapping)
  return result === 0
}

function programFor(allow: readonly DatagramRule[], broadcasts: ReadonlySet<string>) {
  const [broadcast, multicast] = [!allow.includes('broadcast'), !allow.includes('multicast')]
  // A jump can skip 255 steps at most, so the list is limited.
  const known = [...broadcasts].filter(address => isIPv4(address)).slice(0, 200)
  const equal = (k: number): Step => ({ code: JUMP_IF_EQUAL, k, goTo: 'drop' })
  const ipv4: Step[] = [
    { code: LOAD_WORD, k: PACKET_TYPE },
    ...(broadcast ? [equal(PACKET_BROADCAST)] : []),
    ...(multicast ? [equal(PACKET_MULTICAST)] : []),
    { code: LOAD_WORD, k: PROTOCOL },
    { code: JUMP_IF_EQUAL, k: ETHERTYPE_IPV6, goTo: 'ipv6' },
    { code: LOAD_WORD, k: NETWORK + ipv4DestinationAt },
    ...(broadcast ? ['255.255.255.255', ...known].map(address => equal(numberOf(address))) : []),
    // From 224.0.0.0 up to 239.255.255.255.
    { code: JUMP_IF_AT_LEAST, k: 0xf0000000, goTo: 'take' },
    ...(multicast ? [{ code: JUMP_IF_AT_LEAST, k: 0xe0000000, goTo: 'drop' } as Step] : []),
    { code: RETURN, k: 0xffffffff },
  ]
  const ipv6: Step[] = [
    { code: LOAD_BYTE, k: NETWORK + ipv6DestinationAt },
    ...(multicast ? [equal(0xff)] : []),
    { code: RETURN, k: 0xffffffff },
    { code: RETURN, k: 0 },
  ]
  const steps = [...ipv4, ...ipv6]
  return steps.map(({ code, k, goTo }, index) => {
    const target = { drop: steps.length - 1, ipv6: ipv4.length, take: ipv4.length - 1 }
    return { code, k, yes: goTo ? target[goTo] - index - 1 : 0, no: 0 }
  })
}

const numberOf = (address: string): number =>
  address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)

/** Whether a socket that is bound to this host is bound to all addresses. */
export const isUnspecified = (host: string): boolean => /^(0\.0\.0\.0|[:0]+)$/.test(host)

/** The last address of each IPv4 network that this machine is in. */
export function broadcastAddresses(): Set<string> {
  const found = new Set<string>()
  for (const { family, address, netmask } of Object.values(networkInterfaces()).flat() as Here[]) {
    if (family !== 'IPv4' || netmask === '255.255.255.255') continue
    const mask = netmask.split('.').map(Number)
    const last = address.split('.').map((part, n) => Number(part) | (~mask[n]! & 255))
    found.add(last.join('.'))
  }
  return found
}

interface Here {
  family: string
  address: string
  netmask: string
}
