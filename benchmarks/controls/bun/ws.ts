// WebSocket echo control in Bun: Bun.serve, which has WebSocket built in. Each message comes whole
// and is sent back at once; what the socket does not take is buffered by Bun.

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: Number(process.argv[2]),
  fetch(request, server) {
    if (server.upgrade(request)) return undefined
    return new Response('only for WebSocket\n', { status: 426 })
  },
  websocket: {
    perMessageDeflate: false,
    message(socket, message) {
      socket.send(message)
    },
  },
})

console.log(`listening on ${server.port}`)
