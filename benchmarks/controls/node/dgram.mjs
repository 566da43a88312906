// UDP echo control in Node: each message is given to send(). The lookup is replaced, since
// node:dgram would otherwise look up each address on a later turn; these are numeric.
import { createSocket } from 'node:dgram'

const lookup = (host, _family, callback) => callback(null, host, 4)
const room = { recvBufferSize: 4 << 20, sendBufferSize: 4 << 20 }
const socket = createSocket({ type: 'udp4', lookup, ...room })
socket.on('message', (data, { address, port }) => socket.send(data, port, address))
socket.bind({ address: '127.0.0.1', port: Number(process.argv[2]) }, () =>
  console.log(`listening on ${socket.address().port}`),
)
