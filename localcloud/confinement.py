"""Confinement of builds and functions: the files that they may read and write.

They may read the system, the runtimes and their input, and write their own folders and the
machine's `/tmp`. They cannot read the state folder, the user's home, other builds, or the memory
and environment of processes outside of the sandbox.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from localcloud import confined

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PROGRAM = str(Path(confined.__file__))
_PYTHON = str(Path(sys.executable).resolve())
_SYSTEM = (
    "/bin", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/nix", "/opt", "/proc", "/sbin",
    "/snap", "/sys", "/usr", "/run/systemd/resolve", "/var/lib", "/var/cache",
)  # fmt: skip
_DEVICES = tuple(
    f"/dev/{name}"
    for name in ("fd", "full", "null", "ptmx", "pts", "random", "shm", "tty", "urandom", "zero")
)
_SHARED = tuple(f"/{name}" for name in ("tmp", "var/tmp"))


@dataclass(frozen=True)
class Rules:
    """Folders and files that a sandbox reads, and those that it also writes."""

    read: tuple[str, ...]
    write: tuple[str, ...]
    ports: int = -1
    """The descriptor of a ruleset of TCP ports, which the command has to be passed; see
    `closed_ports`."""

    def command(self, *command: str) -> list[str]:
        """A command that runs another one under these rules."""
        return [_PYTHON, "-I", "-S", "-B", PROGRAM, self.json(), *command]

    def json(self) -> str:
        """The rules as the JSON that `localcloud/confined.py` reads."""
        return json.dumps({"read": self.read, "write": self.write, "ports": self.ports})

    @property
    def descriptors(self) -> tuple[int, ...]:
        """File descriptors that `command` has to inherit."""
        return () if self.ports < 0 else (self.ports,)

    def readable(self, path: Path) -> bool:
        """Whether a sandbox may read a path, after resolving its links."""
        resolved = path.resolve()
        granted = (Path(each).resolve() for each in (*self.read, *self.write))
        return any(resolved.is_relative_to(each) for each in granted)


def rules(state: Path, read: Iterable[Path | str], write: Iterable[Path | str]) -> Rules:
    """The system and these paths; of the state folder `state` nothing but these."""
    shared = (str(each) for place in _SHARED for each in _around(Path(place), state.resolve()))
    return Rules(
        (*_SYSTEM, sys.base_prefix, sys.base_exec_prefix, PROGRAM, *map(str, read)),
        (*_DEVICES, *shared, *map(str, write)),
    )


@cache
def closed_ports(*ports: int) -> int:
    """The ruleset of `Rules.ports` that lets TCP connect to all ports but these; made once."""
    return confined.port_ruleset(set(ports))


def announce() -> str:
    """One line on what this kernel does not confine, or ""."""
    if confined.abi():
        done = subprocess.run(
            Rules(("/",), ()).command("true"), capture_output=True, check=False, cwd="/"
        )
        if done.returncode == 0:
            return ""
    return (
        "localcloud: builds and functions are not confined: this kernel has no Landlock (Linux "
        "6.2 or newer has); they can read and write what you can. Run only code that you trust."
    )


def _around(place: Path, hidden: Path) -> Iterator[Path]:
    """The place, or what is in it besides the way to the hidden folder."""
    if not hidden.is_relative_to(place.resolve()):
        yield place
    elif place.resolve() != hidden:
        with os.scandir(place) as entries:
            for entry in entries:
                yield from _around(Path(entry.path), hidden)
