// TCP echo control in Bun: Bun.listen with one set of handlers shared by all sockets, which is
// Bun's own fast form (its node:net is a layer over it). write() reports how many bytes the
// kernel took and buffers none of the rest: the rest is kept here and reading pauses until
// drain() has written it, so a client that does not read is held back.

interface State {
  rest: Uint8Array | null // echoed next, when the socket drains
  ended: boolean // the client has sent its FIN
}

const server = Bun.listen<State>({
  hostname: '127.0.0.1',
  port: Number(process.argv[2]),
  allowHalfOpen: true,
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
      state.rest = chunk.subarray(written)
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
