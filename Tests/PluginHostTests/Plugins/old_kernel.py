#!/usr/bin/env python3
"""Runs a program as on a kernel without Landlock: a seccomp filter lets its system calls fail with ENOSYS. With
--no-mounts as on one without mount namespaces, with --neither as on one without either.

    old_kernel.py [--no-mounts | --neither] PROGRAM [ARGUMENT ...]
"""
import ctypes
import os
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER = 38, 22, 2
LANDLOCK_CREATE_RULESET, ENOSYS = 444, 38
UNSHARE = {"x86_64": 272, "aarch64": 97}[os.uname().machine]
option = sys.argv.pop(1) if sys.argv[1].startswith("--") else ""
refused = {"": [LANDLOCK_CREATE_RULESET], "--no-mounts": [UNSHARE], "--neither": [LANDLOCK_CREATE_RULESET, UNSHARE]}[option]
# Load the number of the call; those refused fail, all else is allowed (linux/filter.h, linux/seccomp.h).
instructions = [(0x20, 0, 0, 0)]
for call in refused:
    instructions += [(0x15, 0, 1, call), (0x06, 0, 0, 0x00050000 | ENOSYS)]
code = b"".join(struct.pack("HBBI", *instruction) for instruction in instructions + [(0x06, 0, 0, 0x7FFF0000)])
buffer = ctypes.create_string_buffer(code)
program = struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 or libc.prctl(PR_SET_SECCOMP, FILTER, program, 0, 0) != 0:
    sys.exit(f"no filter: {os.strerror(ctypes.get_errno())}")
os.execv(sys.argv[1], sys.argv[1:])
