/** Paths that no question was written for: can the cause be found from what check says? */
import * as defects from '../defects.ts'
import { haproxy } from '../middleboxes.ts'
import { echoAt, target, type Pathology } from './pathology.ts'

export const unforeseen: Record<string, Pick<Pathology, 'made' | 'build' | 'needs'>> = {
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
}
