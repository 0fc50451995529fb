"""Confinement of builds and functions: the files that they may read and write.

They may read the system, the runtimes and their input, and write their own folders and the
machine's `/tmp`. They cannot read the state folder, the user's home, other builds, or the memory
and environment of processes outside of the sandbox.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from localcloud.core import confined

if TYPE_CHECKING:
    from collections.abc import Iterable

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
    hidden: str = ""
    """A folder without links that is left out of the paths which contain it; "" for none."""
    ports: int = -1
    """The descriptor of a ruleset of TCP ports, which the command has to be passed; see
    `closed_ports`."""

    def command(self, *command: str) -> list[str]:
        """A command that runs another one under these rules."""
        return [_PYTHON, "-I", "-S", "-B", PROGRAM, self.json(), *command]

    def json(self) -> str:
        """The rules as the JSON that `localcloud/core/confined.py` reads."""
        return json.dumps(asdict(self))

    @property
    def descriptors(self) -> tuple[int, ...]:
        """File descriptors that `command` has to inherit."""
        return () if self.ports < 0 else (self.ports,)

    def readable(self, path: Path) -> bool:
        """Whether a sandbox may read a path, after resolving its links."""
        resolved = path.resolve()
        granted = [Path(each).resolve() for each in (*self.read, *self.write)]
        if self.hidden and resolved.is_relative_to(self.hidden):
            granted = [each for each in granted if not Path(self.hidden).is_relative_to(each)]
        return any(resolved.is_relative_to(each) for each in granted)


def rules(state: Path, read: Iterable[Path | str], write: Iterable[Path | str]) -> Rules:
    """The system and these paths; of the state folder `state` nothing but these."""
    return Rules(
        (*_SYSTEM, sys.base_prefix, sys.base_exec_prefix, PROGRAM, *map(str, read)),
        (*_DEVICES, *_SHARED, *map(str, write)),
        hidden=str(state.resolve()),
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
