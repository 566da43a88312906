"""Runs a program in a pseudo-terminal: terminal.py [--size SIZES] PROGRAM [ARGUMENT...]

SIZES are COLUMNSxROWS, one or several separated by commas: SIGUSR1 resizes to the next of them.
SIGUSR2 closes the terminal, as happens when its window is closed. What arrives on stdin is typed;
what the terminal would show goes to stdout. Ends as the program ends, with its exit code, or with
128 + the number of the signal that ended it.
"""
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios

arguments = sys.argv[1:]
sizes = ["100x30"]
if arguments[0] == "--size":
    sizes = arguments[1].split(",")
    arguments = arguments[2:]


def resize(terminal):
    columns, rows = map(int, sizes.pop(0).split("x"))
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


pid, terminal = pty.fork()
if pid == 0:
    # The size is set before the program can ask for it, so here and not in the parent.
    resize(0)
    os.execvp(arguments[0], arguments)
sizes.pop(0)
signal.signal(signal.SIGUSR1, lambda *_: resize(terminal))
signal.signal(signal.SIGUSR2, lambda *_: os.close(terminal))

sources = [terminal, 0]
while True:
    try:
        readable, _, _ = select.select(sources, [], [])
    except OSError:
        # The terminal was closed, and is no descriptor any more.
        break
    if 0 in readable:
        typed = os.read(0, 4096)
        if typed:
            os.write(terminal, typed)
        else:
            # No more keys; the program goes on.
            sources.remove(0)
    if terminal in readable:
        try:
            shown = os.read(terminal, 4096)
        except OSError:
            # Linux says EIO once the last program on the terminal has ended.
            break
        if not shown:
            break
        os.write(1, shown)

_, status = os.waitpid(pid, 0)
code = os.waitstatus_to_exitcode(status)
sys.exit(code if code >= 0 else 128 - code)
