#!/usr/bin/env python3
"""Runs a program as on a kernel without Landlock: a seccomp filter lets its system calls fail with ENOSYS. With
--no-mounts as on one without mount namespaces, with --neither as on one without either, with --unit=FILE as under the
system call filter, the namespaces and the address families of a unit of systemd.

    old_kernel.py [--no-mounts | --neither | --unit=FILE] PROGRAM [ARGUMENT ...]
"""
import ctypes
import os
import re
import struct
import subprocess
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER = 38, 22, 2
LANDLOCK_CREATE_RULESET, ENOSYS = 444, 38
UNSHARE = {"x86_64": 272, "aarch64": 97}[os.uname().machine]


def members(name):
    """The system calls of one of systemd's groups, which may hold others."""
    listing = subprocess.run(["/usr/bin/systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True)
    words = re.sub(r"#.*", "", listing.stdout).split()[1:]
    return {call for word in words for call in (members(word) if word.startswith("@") else {word})}


class Comparison(ctypes.Structure):
    """struct scmp_arg_cmp of libseccomp."""

    _fields_ = [("argument", ctypes.c_uint), ("operator", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def confine(path):
    """Loads what systemd would load for the unit: a filter for RestrictNamespaces and RestrictAddressFamilies, and the list of
    system calls that are allowed."""
    with open(path) as file:
        unit = dict(line.strip().split("=", 1) for line in file if "=" in line and not line.startswith("#"))
    assert unit["RestrictNamespaces"] == "yes" and unit["SystemCallErrorNumber"] == "EPERM" and unit["NoNewPrivileges"] == "yes"
    lib = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    lib.seccomp_init.restype = ctypes.c_void_p
    allow, refuse, unknown = 0x7FFF0000, 0x00050001, 0x00050026

    def load(default, rules):
        context = ctypes.c_void_p(lib.seccomp_init(default))
        for action, name, comparisons in rules:
            number = lib.seccomp_syscall_resolve_name(name.encode())
            # A call of another architecture has a negative number.
            if number >= 0:
                array = (Comparison * len(comparisons))(*comparisons)
                assert lib.seccomp_rule_add_array(context, action, number, len(comparisons), array) == 0, name
        assert lib.seccomp_load(context) == 0, path

    # CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID, NET, TIME (linux/sched.h); 7 is SCMP_CMP_MASKED_EQ, 1 SCMP_CMP_NE.
    spaces = [0x20000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000, 0x80]
    rules = [(refuse, "clone", [Comparison(0, 7, flag, flag)]) for flag in spaces[:-1]]
    rules += [(refuse, "unshare", []), (refuse, "setns", []), (unknown, "clone3", [])]
    families = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}
    allowed = [families[name] for name in unit["RestrictAddressFamilies"].split()]
    rules += [(refuse, "socket", [Comparison(0, 4, family, family)]) for family in range(0, 64) if family not in allowed]
    names = {call for word in unit["SystemCallFilter"].split() for call in (members(word) if word.startswith("@") else {word})}
    assert len(names) > 100, names
    load(allow, rules)
    load(refuse, [(allow, name, []) for name in sorted(names)])


option = sys.argv.pop(1) if sys.argv[1].startswith("--") else ""
if option.startswith("--unit="):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        sys.exit(f"no filter: {os.strerror(ctypes.get_errno())}")
    confine(option.removeprefix("--unit="))
    os.execv(sys.argv[1], sys.argv[1:])
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
