// HTTP echo control in Bun: Bun.serve. The body of a request is read whole and sent back, which is
// Bun's own fast form; passed on as a stream it costs more.

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: Number(process.argv[2]),
  idleTimeout: 0,
  async fetch(request) {
    const type = request.headers.get('content-type')
    return new Response(await request.arrayBuffer(), {
      headers: type === null ? {} : { 'content-type': type },
    })
  },
})

console.log(`listening on ${server.port}`)
