"""The processes of a build, wherever they went."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_ROUNDS = 50  # a process may fork while it is looked for


def end(build_id: str, group: int) -> None:
    """Kill every process of a build: its group, and whatever left that for a session of its own.

    AWS takes the container away, so nobody is asked first. A process that has left the group is
    known by the build's id in its environment; that needs `/proc`, which macOS does not have.
    """
    _kill_group(group)
    for _ in range(_ROUNDS):
        found = marked(build_id)
        if not found:
            return
        for process in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)


def end_orphans(build_id: str, group: int) -> None:
    """Kill what a build of an earlier local cloud left behind.

    Its group's number may be another's by now: where there is `/proc` the group is only ended
    when one of its processes is the build's.
    """
    if not _PROC.is_dir():
        _kill_group(group)
        return
    for process in marked(build_id):
        with suppress(ProcessLookupError):
            if os.getpgid(process) == group:
                _kill_group(group)
                break
    end(build_id, 0)


def marked(build_id: str) -> list[int]:
    """The living processes whose environment names the build."""
    mark = f"CODEBUILD_BUILD_ID={build_id}".encode()
    found = []
    for entry in _PROC.glob("[0-9]*"):
        with suppress(OSError):
            # A process that has ended and is not yet waited for has no environment.
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found


def _kill_group(group: int) -> None:
    if group:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
