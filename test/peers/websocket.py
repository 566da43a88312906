"""A WebSocket client of the standard library alone: its frames are made by hand (RFC 6455)."""
import base64
import hashlib
import os
import socket
import struct
import sys

port = int(sys.argv[1])
connection = socket.create_connection(("127.0.0.1", port))
key = base64.b64encode(os.urandom(16)).decode()
connection.sendall(
    f"GET /echo HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
    f"Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
    "Sec-WebSocket-Version: 13\r\n\r\n".encode()
)
stream = connection.makefile("rb")
assert stream.readline().startswith(b"HTTP/1.1 101 ")
headers = {}
for line in iter(stream.readline, b"\r\n"):
    name, value = line.decode().split(":", 1)
    headers[name.lower()] = value.strip()
guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
accept = base64.b64encode(hashlib.sha1((key + guid).encode()).digest()).decode()
assert headers["sec-websocket-accept"] == accept


def send(opcode: int, payload: bytes, fin: bool = True) -> None:
    size = len(payload)
    if size < 126:
        header = struct.pack("!BB", fin << 7 | opcode, 128 | size)
    elif size < 65536:
        header = struct.pack("!BBH", fin << 7 | opcode, 128 | 126, size)
    else:
        header = struct.pack("!BBQ", fin << 7 | opcode, 128 | 127, size)
    mask = os.urandom(4)
    mixed = bytes(byte ^ mask[at & 3] for at, byte in enumerate(payload))
    connection.sendall(header + mask + mixed)


def receive() -> tuple[int, bytes]:
    first, size = stream.read(2)
    assert first & 0xF0 == 0x80 and size < 128
    if size == 126:
        (size,) = struct.unpack("!H", stream.read(2))
    elif size == 127:
        (size,) = struct.unpack("!Q", stream.read(8))
    return first & 15, stream.read(size)


for opcode, payload in [(1, "grüß dich".encode()), (2, os.urandom(70000)), (1, b"")]:
    send(opcode, payload)
    assert receive() == (opcode, payload)
send(2, b"in ", fin=False)
send(9, b"ping")
send(0, b"two", fin=True)
assert receive() == (10, b"ping")
assert receive() == (2, b"in two")
send(8, struct.pack("!H", 1000) + b"done")
assert receive() == (8, struct.pack("!H", 1000) + b"done")
assert stream.read() == b""
print("all came back")
