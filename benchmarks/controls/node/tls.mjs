// TLS echo control in Node: node:tls, each 'data' chunk given to write(), as in data-write.mjs.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:tls'

const [certFile, keyFile, port] = process.argv.slice(2)
const identity = { cert: readFileSync(certFile), key: readFileSync(keyFile) }
const server = createServer({ ...identity, noDelay: true }, socket => {
  socket.on('data', chunk => socket.write(chunk))
  socket.on('end', () => socket.end())
  socket.on('error', () => socket.destroy())
})
server.on('tlsClientError', () => {})

const listen = { host: '127.0.0.1', port: Number(port), backlog: 4096 }
server.listen(listen, () => console.log(`listening on ${server.address().port}`))
