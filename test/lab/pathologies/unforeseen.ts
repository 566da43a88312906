/** Paths that no question was written for: can the cause be found from what check says? */
import * as defects from '../defects.ts'
import type { Link } from '../lab.ts'
import { haproxy } from '../middleboxes.ts'
import { echoAt, target, type Pathology } from './pathology.ts'

interface Unforeseen extends Pick<Pathology, 'made' | 'build' | 'needs'> {
  /** Links to hosts that other paths have not. */
  links?: readonly Link[]
}

export const unforeseen: Record<string, Unforeseen> = {
  'one server of three hangs': {
    made: 'haproxy, roundrobin over three servers, one of which answers nothing',
    build: async path => {
      const servers = [
        await target(path),
        await target(path),
        await target(path, '--fault', 'hang'),
      ]
      const others = servers.slice(1).map(({ ip4, port }, n) => `server s${n} ${ip4}:${port}`)
      return `tcp://${await haproxy(path.far, servers[0]!, ['balance roundrobin', ...others])}`
    },
    needs: ['haproxy'],
  },
  'one of two links loses large packets': {
    made: 'on every second connection packets of more than 1300 bytes dropped',
    build: async path => {
      await defects.dropLargeOfHalf(path.near, 'far', 1300)
      return echoAt(path, 'tcp://[::]:7200')
    },
  },
  'a provider polices the rate': {
    made: 'more than 200 kB/s dropped toward the server, without a buffer',
    build: async path => {
      await defects.policeBytes(path.near, 'far', 200)
      return echoAt(path)
    },
  },
  'a router with bad memory': {
    made: 'in one of 200 packets toward the client a byte of the payload is set to 0',
    build: async path => {
      await defects.corrupt(path.far, 'near', 200)
      return echoAt(path)
    },
  },
  'a limit on new connections': {
    made: 'nft: beyond 12 at once, 1 new connection in 2 s; the others dropped',
    build: async path => {
      const { ip4, port } = await target(path)
      await defects.limitNew(path.near, port)
      return `tcp://${ip4}:${port}`
    },
  },
  'two hosts have the same address': {
    made: 'a second host with the address of the server; for 0.3 s of 3.3 s the router believes it',
    links: [['far', 'twin']],
    build: async path => {
      await defects.twin(path)
      return echoAt(path, 'tcp://0.0.0.0:7200')
    },
  },
}
