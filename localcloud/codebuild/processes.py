"""Find and kill all processes of a build."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_MAX_KILL_ROUNDS = 50  # a process may fork between search and kill


def end(build_id: str, group: int) -> None:
    """Kill every process of a build: its group, and processes that left the group.

    AWS removes the container without a SIGTERM, so the signal is SIGKILL. A process that left the
    group is found by the build's id in its variables; that needs `/proc`, which macOS does not
    have.
    """
    _kill_group(group)
    for _ in range(_MAX_KILL_ROUNDS):
        found = processes_of(build_id)
        if not found:
            return
        for process in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)


def end_orphans(build_id: str, group: int) -> None:
    """Kill the remaining processes of a build of an earlier local cloud.

    The system may have reused the group's number. With `/proc`, the group is killed only if one of
    its processes belongs to the build.
    """
    if not _PROC.is_dir():
        _kill_group(group)
        return
    for process in processes_of(build_id):
        with suppress(ProcessLookupError):
            if os.getpgid(process) == group:
                _kill_group(group)
                break
    end(build_id, 0)


def processes_of(build_id: str) -> list[int]:
    """Return the running processes whose variables name the build."""
    mark = f"CODEBUILD_BUILD_ID={build_id}".encode()
    found = []
    for entry in _PROC.glob("[0-9]*"):
        with suppress(OSError):
            # A zombie has no variables.
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found


def _kill_group(group: int) -> None:
    if group:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
