"""TCP echo control in Python: the teaching exercise's form, one thread per client.

Each thread blocks in recv(1024) and sendall, which is also the back-pressure. It is what most
first echo servers look like; the interpreter's lock lets one thread run Python at a time.
"""

import socket
import sys
import threading


def echo(client: socket.socket) -> None:
    with client:
        try:
            while data := client.recv(1024):
                client.sendall(data)
        except ConnectionError:
            pass  # a reset by the client ends that connection only


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: threads.py PORT")
    with socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=4096) as server:
        print(f"listening on {server.getsockname()[1]}", flush=True)
        while True:
            client, _ = server.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=echo, args=(client,), daemon=True).start()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
