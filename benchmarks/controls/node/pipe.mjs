// TCP echo control in Node: each socket is piped into itself. The idiom of Node's own examples:
// pipe() pauses reading while the write side is full, and ends the write side after the
// client's FIN.
import { createServer } from 'node:net'

const server = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
  socket.on('error', () => socket.destroy())
  socket.pipe(socket)
})

const listen = { host: '127.0.0.1', port: Number(process.argv[2]), backlog: 4096 }
server.listen(listen, () => console.log(`listening on ${server.address().port}`))
