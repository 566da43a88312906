// TLS echo control in Bun: Bun.listen with its own TLS; the rest is as in server.ts. write() says
// how much was taken, and the rest is kept here while reading pauses.

interface State {
  rest: Uint8Array | null // echoed next, when the socket drains
  ended: boolean // the client has said that it ends
}

const [certFile, keyFile, port] = process.argv.slice(2)

const server = Bun.listen<State>({
  hostname: '127.0.0.1',
  port: Number(port),
  tls: { cert: Bun.file(certFile), key: Bun.file(keyFile) },
  socket: {
    open(socket) {
      socket.data = { rest: null, ended: false }
      socket.setNoDelay(true)
    },
    data(socket, chunk) {
      const state = socket.data
      if (state.rest !== null) {
        state.rest = Buffer.concat([state.rest, chunk])
        return
      }
      const written = socket.write(chunk)
      if (written < 0 || written === chunk.length) return
      // The chunk belongs to Bun.
      state.rest = Buffer.from(chunk.subarray(written))
      socket.pause()
    },
    drain(socket) {
      const state = socket.data
      if (state.rest === null) return
      const written = socket.write(state.rest)
      if (written < 0) return
      state.rest = written === state.rest.length ? null : state.rest.subarray(written)
      if (state.rest !== null) return
      if (state.ended) socket.end()
      else socket.resume()
    },
    end(socket) {
      socket.data.ended = true
      if (socket.data.rest === null) socket.end()
    },
    error() {}, // a reset by the client ends that connection only
  },
})

console.log(`listening on ${server.port}`)
