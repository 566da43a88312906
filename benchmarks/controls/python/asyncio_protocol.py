"""TCP echo control in Python: an asyncio BufferedProtocol, the fast form asyncio has.

Callbacks with no stream or task per connection, and one 64 KiB buffer for each to receive into:
a plain Protocol has a new 256 KiB one made for every message. The transport says when its write
buffer is full, and reading stops until it has drained. asyncio sets TCP_NODELAY itself, and
after the client's FIN closes once all is written.
"""

import asyncio
import sys


class Echo(asyncio.BufferedProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.buffer = memoryview(bytearray(64 * 1024))

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.transport.write(bytes(self.buffer[:nbytes]))  # a copy: the transport may keep it

    def pause_writing(self) -> None:
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.transport.resume_reading()


async def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: asyncio_protocol.py PORT")
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", int(sys.argv[1]), backlog=4096)
    print(f"listening on {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
