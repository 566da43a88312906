"""The sender of the exercise, blocking: sender.py HOST PORT [--count N]

Sends the same message in an endless loop, or N times, and compares what comes back.
"""
import argparse
import itertools
import socket
import sys

parser = argparse.ArgumentParser()
parser.add_argument("host")
parser.add_argument("port", type=int)
parser.add_argument("--count", type=int)
arguments = parser.parse_args()

message = b"Hello, server!\n"
sent = 0
try:
    with socket.create_connection((arguments.host, arguments.port)) as connection:
        for sent in itertools.count(1):
            connection.sendall(message)
            echo = b""
            while len(echo) < len(message):
                data = connection.recv(1024)
                if not data:
                    sys.exit("the server hung up")
                echo += data
            if echo != message:
                sys.exit(f"message {sent} came back as {echo!r}")
            if sent == 1:
                print("the first message came back", flush=True)
            if sent == arguments.count:
                break
except KeyboardInterrupt:
    pass
print(f"{sent} messages were sent, and came back")
