"""Sends stdin over TLS, says close_notify, and prints what returns; expects close_notify, too."""

import socket
import ssl
import sys
import threading

port, authority = sys.argv[1:]
context = ssl.create_default_context(cafile=authority)
raw = socket.create_connection(("127.0.0.1", int(port)))
# Raises SSLEOFError where FIN comes without close_notify.
stream = context.wrap_socket(raw, server_hostname="localhost", suppress_ragged_eofs=False)
data = sys.stdin.buffer.read()
sender = threading.Thread(target=stream.sendall, args=(data,))
sender.start()
missing = len(data)
while missing > 0:
    chunk = stream.recv(65536)
    if not chunk:
        sys.exit("it finished early")
    sys.stdout.buffer.write(chunk)
    missing -= len(chunk)
sender.join()
sys.stdout.flush()
# Sends close_notify and waits for that of the other side.
stream.unwrap()
