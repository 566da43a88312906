"""Runs a program without some calls, as in a container: forbid.py WHAT=ERRNO PROGRAM [ARG...]

A seccomp filter answers `splice`, or the three calls of io_uring (`io_uring`), with that error.
Needs Linux, but no root.
"""
import ctypes
import errno
import os
import platform
import struct
import sys

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
# <linux/bpf_common.h>: load a word, jump if greater or equal, jump if greater, return.
LOAD, JUMP_GE, JUMP_GT, RETURN = 0x20, 0x35, 0x25, 0x06
SECCOMP_RET_ERRNO, SECCOMP_RET_ALLOW = 0x00050000, 0x7FFF0000
# io_uring_setup, _enter, _register: new enough to have the same number on every machine.
splice = {"x86_64": 275, "aarch64": 76}.get(platform.machine(), 0)
what, name = sys.argv[1].split("=")
FIRST, LAST = {"io_uring": (425, 427), "splice": (splice, splice)}[what]

error = SECCOMP_RET_ERRNO | getattr(errno, name)
program = [
    (LOAD, 0, 0, 0),  # seccomp_data.nr
    (JUMP_GE, 0, 2, FIRST),
    (JUMP_GT, 1, 0, LAST),
    (RETURN, 0, 0, error),
    (RETURN, 0, 0, SECCOMP_RET_ALLOW),
]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))


class Filter(ctypes.Structure):
    """sock_fprog"""

    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]


def prctl(*arguments):
    if libc.prctl(*arguments) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")


libc = ctypes.CDLL(None, use_errno=True)
zero = ctypes.c_ulong(0)
prctl(PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero)
whole = Filter(len(program), ctypes.addressof(code))
prctl(PR_SET_SECCOMP, ctypes.c_ulong(SECCOMP_MODE_FILTER), ctypes.byref(whole), zero, zero)
os.execvp(sys.argv[2], sys.argv[2:])
