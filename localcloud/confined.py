"""Confine this process by Landlock, then become a program or run a Python module.

    python -S confined.py RULES PROGRAM ARGUMENT…
    python -S confined.py RULES -m MODULE ARGUMENT…

RULES is JSON of `localcloud.confinement.Rules`; its `ports` is the descriptor of `port_ruleset`, or
-1. Standard library only: a sandbox runs
this file by its path. Landlock is a Linux security module for unprivileged processes; the
rights and system calls are those of linux/landlock.h, and docs.kernel.org/userspace-api/landlock
says which version of its ABI brought which.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import runpy
import stat
import struct
import sys

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_PATH_BENEATH, _NET_PORT = 1, 2
_CONNECT_TCP = 2
_NET_ABI = 4
_SET_NO_NEW_PRIVS = 38
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_REFER = 1 << 13
_TRUNCATE = 1 << 14
_ALL_RIGHTS = (1 << 15) - 1
"""Of ABI 3: execute, read, write, make and remove each kind of file, refer, truncate."""
_READ_RIGHTS = _EXECUTE | _READ_FILE | _READ_DIR
_FILE_RIGHTS = _EXECUTE | _READ_FILE | _WRITE_FILE | _TRUNCATE
_SCOPES = 3
"""Abstract Unix sockets and signals end at the sandbox, from ABI 6 on."""
_CAPBSET_DROP = 24
_CAPABILITIES = struct.pack("=II", 0x20080522, 0)
"""`struct __user_cap_header_struct`: version 3, of this process."""
# What would let root around Landlock: to read raw devices, other processes, the kernel.
_DROPPED = (
    2,  # CAP_DAC_READ_SEARCH, for open_by_handle_at
    16, 17, 19, 21, 22, 27,  # CAP_SYS_MODULE, _RAWIO, _PTRACE, _ADMIN, _BOOT, CAP_MKNOD
    38, 39,  # CAP_PERFMON, for /proc/PID/environ; CAP_BPF
)  # fmt: skip
_MIN_ABI = 3
_SCOPE_ABI = 6

_libc = ctypes.CDLL(None, use_errno=True)


def abi() -> int:
    """The version of Landlock's ABI that the kernel has; 0 for one that cannot confine."""
    if not sys.platform.startswith("linux"):
        return 0
    found = _libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION_FLAG))
    return found if found >= _MIN_ABI else 0


def port_ruleset(closed: set[int]) -> int:
    """The descriptor of a ruleset that lets TCP connect to all ports but these; -1 if it cannot.

    It allows renames between folders everywhere: a ruleset that does not mention them denies them
    ("LANDLOCK_ACCESS_FS_REFER"), and the paths of `restrict` decide.

    It takes some tenths of a second to make, as each open port is a rule: make it once.
    """
    if abi() < _NET_ABI:
        return -1
    attributes = struct.pack("QQQ", _REFER, _CONNECT_TCP, 0)
    ruleset = _call(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    _allow(ruleset, "/", _REFER)
    for port in range(1, 65536):
        if port not in closed:
            rule = struct.pack("=QQ", _CONNECT_TCP, port)
            _call(_ADD_RULE, ruleset, _NET_PORT, rule, 0)
    return ruleset


def restrict(read: list[str], write: list[str], ports: int = -1) -> None:
    """Confine this process and all that it starts to these paths, for good.

    A path that does not exist is skipped. Does nothing where `abi` is 0.

    Raises:
        OSError: the kernel refuses.
    """
    version = abi()
    if not version:
        return
    attributes = struct.pack("QQQ", _ALL_RIGHTS, 0, _SCOPES if version >= _SCOPE_ABI else 0)
    ruleset = _call(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    for paths, rights in ((read, _READ_RIGHTS), (write, _ALL_RIGHTS)):
        for path in paths:
            _allow(ruleset, path, rights)
    _drop_capabilities()
    _libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for each in (ruleset, ports):
        if each >= 0:
            _call(_RESTRICT_SELF, each, 0)
            os.close(each)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.EACCES}:
            return
        raise
    try:
        if not stat.S_ISDIR(os.fstat(beneath).st_mode):
            rights &= _FILE_RIGHTS
        rule = struct.pack("=Qi", rights, beneath)
        _call(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
    finally:
        os.close(beneath)


def _drop_capabilities() -> None:
    """Drop root's capabilities for good; do nothing for any other user."""
    if os.geteuid() != 0:
        return
    sets = ctypes.create_string_buffer(24)
    _libc.capget(_CAPABILITIES, sets)
    words = list(struct.unpack("=6I", sets))
    for number in _DROPPED:
        _libc.prctl(_CAPBSET_DROP, number, 0, 0, 0)
        word, bit = divmod(number, 32)
        for kind in range(3):  # effective, permitted, inheritable
            words[3 * word + kind] &= ~(1 << bit)
    if _libc.capset(_CAPABILITIES, struct.pack("=6I", *words)) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"capset: {os.strerror(number)}")


def _call(*arguments: object) -> int:
    result: int = _libc.syscall(*arguments)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"Landlock: {os.strerror(number)}")
    return result


def main() -> None:
    """Confine this process, then execute what the arguments name."""
    rules, program, *arguments = sys.argv[1:]
    restrict(**json.loads(rules))
    if program == "-m":
        sys.argv = arguments
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    else:
        os.execvp(program, [program, *arguments])  # noqa: S606  # no shell, as it should be


if __name__ == "__main__":
    main()
