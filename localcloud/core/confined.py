"""Confine this process by Landlock, then become a program or run a Python module.

    python -S confined.py RULES PROGRAM ARGUMENT…
    python -S confined.py RULES -m MODULE ARGUMENT…

RULES is JSON of `localcloud.core.confinement.Rules`; its `ports` is the descriptor of
`port_ruleset`, or -1. Standard library only: a sandbox runs this file by its path. Landlock is a
Linux security module for unprivileged processes; the rights and system calls are those of
linux/landlock.h, and docs.kernel.org/userspace-api/landlock says which version of its ABI brought
which.

Landlock rules the ports of TCP's `connect` alone. A seccomp filter takes away the other ways to a
TCP connection: Multipath TCP, SMC, data sent before `connect` (TCP Fast Open), and io_uring, whose
calls no filter sees.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
import runpy
import stat
import struct
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

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
# Capabilities that bypass Landlock: to read raw devices, other processes, the kernel.
_DROPPED = (
    2,  # CAP_DAC_READ_SEARCH, for open_by_handle_at
    16, 17, 19, 21, 22, 27,  # CAP_SYS_MODULE, _RAWIO, _PTRACE, _ADMIN, _BOOT, CAP_MKNOD
    38, 39,  # CAP_PERFMON, for /proc/PID/environ; CAP_BPF
)  # fmt: skip
_SET_SECCOMP, _SECCOMP_FILTER = 22, 2
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000
_LOAD, _AND, _IF_EQUAL, _IF_SET, _RETURN = 0x20, 0x54, 0x15, 0x45, 0x06
"""Instructions of linux/bpf_common.h, on words."""
_NR, _ARCH, _ARGUMENTS = 0, 4, 16
"""Offsets in `struct seccomp_data`; of an argument of 64 bits the low word comes first."""
_NOT_X32 = 0xBFFFFFFF
_IO_URING_SETUP = 425
_AF_SMC, _IPPROTO_SMC, _IPPROTO_MPTCP = 43, 256, 262
_MSG_FASTOPEN = 0x20000000
_CALLS = {"x86_64": (0xC000003E, 41, 44, 46, 307), "aarch64": (0xC00000B7, 198, 206, 211, 269)}
"""Of each machine: AUDIT_ARCH, and the numbers of socket, sendto, sendmsg and sendmmsg."""
_MIN_ABI = 3
_SCOPE_ABI = 6

_Instruction = tuple[int, int, int, int]
"""Of BPF: operation, instructions to skip if true, and if false, and operand."""

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


def restrict(read: list[str], write: list[str], hidden: str = "", ports: int = -1) -> None:
    """Confine this process and all that it starts to these paths, for good.

    Of a path that contains the folder `hidden`, everything else is allowed. A path that does not
    exist is skipped. Does nothing where `abi` is 0.

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
            for part in around(path, hidden):
                _allow(ruleset, part, rights, follow=part == path)
    _drop_capabilities()
    _libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for each in (ruleset, ports):
        if each >= 0:
            _call(_RESTRICT_SELF, each, 0)
            os.close(each)
    if ports >= 0:
        _refuse_other_ways_to_connect()


def around(path: str, hidden: str) -> Iterator[str]:
    """Yield the path or, if it contains the folder `hidden`, what it contains besides that.

    Landlock has no rule that denies. The folders are listed here, in the process that is confined:
    a list of a crowded folder is longer than an argument may be. Links in them are skipped: another
    sandbox may have made one to a place that no sandbox may reach.

    Args:
        path: a file or folder.
        hidden: a path without links, or "" for none.
    """
    whole = os.path.realpath(path)
    if not hidden or os.path.commonpath([whole, hidden]) != whole:
        yield path
    elif whole != hidden:
        with os.scandir(path) as entries:
            for entry in entries:
                if not entry.is_symlink():
                    yield from around(entry.path, hidden)


def _refuse_other_ways_to_connect() -> None:
    """Answer as a kernel that was built without them; skip unknown architectures."""
    if platform.machine() not in _CALLS:
        return
    code = b"".join(struct.pack("=HBBI", *each) for each in _filter(*_CALLS[platform.machine()]))
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HP", len(code) // 8, ctypes.addressof(buffer))
    if _libc.prctl(_SET_SECCOMP, _SECCOMP_FILTER, program, 0, 0) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp: {os.strerror(number)}")


def _filter(arch: int, socket: int, sendto: int, sendmsg: int, sendmmsg: int) -> list[_Instruction]:
    no_protocol = [(_RETURN, 0, 0, _REFUSE | errno.EPROTONOSUPPORT)]
    no_call = (_RETURN, 0, 0, _REFUSE | errno.ENOSYS)
    allow = (_RETURN, 0, 0, _ALLOW)
    made = [
        _load(_ARCH),
        (_IF_EQUAL, 1, 0, arch),
        no_call,  # of another instruction set, such as int 0x80's
        _load(_NR),
        (_AND, 0, 0, _NOT_X32),
        *_if(_IF_EQUAL, _IO_URING_SETUP, [no_call]),
    ]
    family = [_load(_ARGUMENTS), *_if(_IF_EQUAL, _AF_SMC, no_protocol)]
    protocol = [_load(_ARGUMENTS + 2 * 8)]
    for each in (_IPPROTO_SMC, _IPPROTO_MPTCP):
        protocol += _if(_IF_EQUAL, each, no_protocol)
    made += _if(_IF_EQUAL, socket, [*family, *protocol, allow])
    for number, argument in ((sendto, 3), (sendmsg, 2), (sendmmsg, 3)):
        fast_open = _if(_IF_SET, _MSG_FASTOPEN, [(_RETURN, 0, 0, _REFUSE | errno.EOPNOTSUPP)])
        made += _if(_IF_EQUAL, number, [_load(_ARGUMENTS + argument * 8), *fast_open, allow])
    return [*made, allow]


def _load(offset: int) -> _Instruction:
    return (_LOAD, 0, 0, offset)


def _if(test: int, value: int, then: list[_Instruction]) -> list[_Instruction]:
    return [(test, 0, len(then), value), *then]


def _allow(ruleset: int, path: str, rights: int, *, follow: bool = True) -> None:
    try:
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW))
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
