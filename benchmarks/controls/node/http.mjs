// HTTP echo control in Node: node:http, each piece of a body is written to its answer as it comes.
import { createServer } from 'node:http'

const server = createServer({ noDelay: true }, (request, response) => {
  const { 'content-length': length, 'content-type': type } = request.headers
  response.writeHead(200, {
    ...(type !== undefined && { 'Content-Type': type }),
    ...(length !== undefined && { 'Content-Length': length }),
  })
  request.on('data', chunk => {
    if (!response.write(chunk)) request.pause()
  })
  response.on('drain', () => request.resume())
  request.on('end', () => response.end())
})

const listen = { host: '127.0.0.1', port: Number(process.argv[2]), backlog: 4096 }
server.listen(listen, () => console.log(`listening on ${server.address().port}`))
