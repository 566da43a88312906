/** PROXY protocol: does the other end know this client's address, although a proxy is between? */
import { isSameHost, isSamePlace } from '../vocabulary/same-host.ts'
import { peerText } from '../vocabulary/text.ts'
import { transports } from '../vocabulary/transport.ts'
import { networkConnected } from '../options/where.ts'
import type { Account } from './control.ts'
import { askDescription } from './http-described.ts'
import { openLine } from './http-exchange.ts'
import { question, type Answer, type Found, type NotAsked } from './question.ts'
import type { Scene } from './scene.ts'
import { accountOf, localOf, openWs } from './ws-socket.ts'

type Name = 'hidden' | 'wrong-address'

export const proxy = question<Name>({
  asks: "whether the other end knows this client's address",
  transports: networkConnected,
  traced: 'all',
  figures: {},
  findings: {
    hidden: {
      outcome: 'differs',
      effect:
        'Logs, limits per client and allow lists at the other end have the address of a proxy or ' +
        'NAT: one client that misbehaves locks all others out.',
      advice:
        'A proxy or a NAT is on the way. Let the proxy name the client (HAProxy `send-proxy-v2`, ' +
        'nginx `proxy_protocol on`; with HTTP, X-Forwarded-For), and let the server read it ' +
        '(`yodel serve --proxy-protocol accept`, nginx `real_ip_header`).',
    },
    'wrong-address': {
      outcome: 'fails',
      effect: 'The other end takes this client for another one.',
      advice:
        'The PROXY header or X-Forwarded-For names another address: a second proxy in front does ' +
        'not pass on the address that it got, or the server believes a header that any client ' +
        'can forge.',
    },
  },
  refuses({ known, address, control, calling }) {
    if (calling.proxy !== undefined) return 'the proxy of --proxy is between, as you asked'
    const { protocol } = transports[address.transport]
    if (protocol === 'http' || known.paired || control) return undefined
    return protocol === 'ws'
      ? 'the other end does not say what it sees: use --control with a `yodel serve --dashboard`'
      : 'the other end does not say what it sees: it is not a `yodel serve --directions`'
  },
  cost: ({ silenceMs }) => ({ atOnce: 1, connections: 1, bytes: 2_000, ms: 4 * silenceMs }),
  async ask(scene) {
    const { protocol } = transports[scene.address.transport]
    if (protocol === 'http') return overHttp(scene)
    if (protocol === 'ws') {
      const socket = await openWs(scene, {})
      return ofAccount(localOf(socket), await accountOf(scene, socket))
    }
    const probe = await scene.open()
    const trace = await scene.traceOf(probe)
    if (trace?.from)
      return judgeAddress(probe.local, trace.from, trace.forwardedFrom, 'a PROXY header')
    return ofAccount(probe.local, await scene.accountOf(probe))
  },
})

/** Over the control API: a proxy speaks of the client by a PROXY header, or by X-Forwarded-For. */
function ofAccount(local: string, account: Account | undefined): Answer<Name> | NotAsked {
  if (!account) return { notAsked: 'the other end does not say what it sees' }
  const { peer, realPeer, headers } = account
  if (realPeer !== null) return judgeAddress(local, peer, realPeer, 'a PROXY header')
  const forwarded = headers?.find(([name]) => name.toLowerCase() === 'x-forwarded-for')
  const named = forwarded?.[1].split(',')[0]!.trim()
  return judgeAddress(local, peer, named, 'X-Forwarded-For')
}

async function overHttp(scene: Scene): Promise<Answer<Name> | NotAsked> {
  const line = await openLine(scene)
  const request = await askDescription(scene, line, [])
  if (!request) return { notAsked: 'the other end does not describe requests: it is not a yodel' }
  const { peer, proxy: named } = request
  const forwarded = request.headers.find(([name]) => name.toLowerCase() === 'x-forwarded-for')
  const by = named ? 'a PROXY header' : 'X-Forwarded-For'
  const said = named ? peerText(named.address, named.port) : forwarded?.[1].split(',')[0]!.trim()
  return judgeAddress(line.probe.local, peerText(peer.address, peer.port), said, by)
}

/**
 * @param named the address that the proxy named; its port may be missing, or be a port of the proxy
 */
export function judgeAddress(
  local: string,
  seen: string,
  named: string | undefined,
  by: string,
): Answer<Name> {
  const evidence = [
    `this end is ${local}; the other end sees ${seen}` +
      (named === undefined ? ', and no other address is named' : `, and ${by} names ${named}`),
  ]
  const found: Found<Name>[] = []
  const isNamed = named !== undefined && isSameHost(named, local)
  if (named !== undefined && !isNamed)
    found.push({
      name: 'wrong-address',
      said: `${by} names ${named}, and this client is ${local}`,
      evidence,
      side: 'on the way',
      where: 'the proxy on the way that names it',
    })
  else if (named === undefined && !isSamePlace(seen, local))
    found.push({
      name: 'hidden',
      said: `the other end sees ${seen} in place of this client's address`,
      evidence,
      side: 'on the way',
      where: 'a proxy or a NAT on the way, which the other end sees in place of this client',
    })
  const how = isNamed ? `by ${by}` : 'itself'
  return { said: `the other end knows this client's address ${how}: ${named ?? seen}`, found }
}
