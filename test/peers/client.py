"""The client of the exercise, blocking: client.py HOST PORT

Sends each line of stdin, waits until as much has come back, and prints it.
"""
import socket
import sys

with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as connection:
    for line in sys.stdin:
        message = line.encode()
        connection.sendall(message)
        echo = b""
        # A stream knows no messages: one may come back in pieces.
        while len(echo) < len(message):
            data = connection.recv(1024)
            if not data:
                sys.exit("the server hung up")
            echo += data
        print(echo.decode(), end="", flush=True)
