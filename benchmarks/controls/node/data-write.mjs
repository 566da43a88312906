// TCP echo control in Node: each 'data' chunk is given to write(). The plainest idiom, with no
// stream machinery between the two calls and so the least work for each message; and no
// back-pressure, so what a client does not read is held in memory.
import { createServer } from 'node:net'

const server = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
  socket.on('data', chunk => socket.write(chunk))
  socket.on('end', () => socket.end())
  socket.on('error', () => socket.destroy())
})

const listen = { host: '127.0.0.1', port: Number(process.argv[2]), backlog: 4096 }
server.listen(listen, () => console.log(`listening on ${server.address().port}`))
