"""Sends much, an urgent byte in the midst of it, and more: urgent.py HOST PORT

Prints how many bytes came back; it is an error if they are not what was sent without that byte.
"""
import hashlib
import os
import socket
import sys
import threading

block = os.urandom(262_144)
before, after = 128, 8


def send(connection):
    for n in range(before + after):
        if n == before:
            connection.send(b"!", socket.MSG_OOB)
        connection.sendall(block)
    connection.shutdown(socket.SHUT_WR)


with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as connection:
    threading.Thread(target=send, args=(connection,)).start()
    returned, total = hashlib.sha256(), 0
    while data := connection.recv(2**20):
        returned.update(data)
        total += len(data)
if returned.digest() != hashlib.sha256(block * (before + after)).digest():
    sys.exit(f"{total} bytes came back, and they are not what was sent")
print(total)
