// UDP echo control in Bun: Bun.udpSocket, each message is given to send().

const server = await Bun.udpSocket({
  hostname: '127.0.0.1',
  port: Number(process.argv[2]),
  socket: {
    data(socket, data, port, address) {
      socket.send(data, port, address)
    },
  },
})

console.log(`listening on ${server.port}`)
