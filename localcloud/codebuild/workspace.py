"""The working folder of a build: its sources, its outputs and its cache."""

from __future__ import annotations

import fcntl
import shutil
import uuid
from typing import IO, TYPE_CHECKING

from localcloud.codebuild.buildspec import BuildspecError

if TYPE_CHECKING:
    from pathlib import Path

    from localcloud.core.ledger import Ledger

_DISCARDED = "discarded"
_NUMBER = "codebuild:workspace"
_KEPT_ENTRIES = {"cache", "lock", _DISCARDED}


class Workspace:
    """A folder of a project, locked by one build.

    Concurrent builds of a project use different folders. A build takes the first free one, so that
    a project's sources usually have the same path.
    """

    def __init__(self, root: Path, name: str) -> None:
        self.folder, self._guard = _claim(root, name)
        self.project = name
        (self.folder / _DISCARDED).mkdir(exist_ok=True)
        self._trash = [*(self.folder / _DISCARDED).iterdir()]  # left by a killed process
        self._discard()
        for folder in self.own:
            folder.mkdir()

    @property
    def own(self) -> list[Path]:
        """The folders that a build may write."""
        return [self.folder / part for part in ("src", "home", "run", "inputs", "tmp")]

    @property
    def temporary(self) -> Path:
        """The build's TMPDIR."""
        return self.folder / "tmp"

    @property
    def source(self) -> Path:
        """The folder of the primary source, in which the commands start."""
        return self.folder / "src"

    @property
    def home(self) -> Path:
        """The build's HOME."""
        return self.folder / "home"

    @property
    def run(self) -> Path:
        """The folder of the build's scripts and shell state."""
        return self.folder / "run"

    def place(self, name: str, *, primary: bool) -> Path:
        """Return the folder of an input artifact."""
        return self.source if primary else self.folder / "inputs" / name

    def restore(self, paths: tuple[str, ...]) -> None:
        """Restore the local cache if there is one (`LOCAL_CUSTOM_CACHE`).

        Raises:
            BuildspecError: a path is outside of the source and of the home.
        """
        for path in paths:
            kept, target = self._cached(path)
            if kept.exists() and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                kept.rename(target)

    def keep(self, paths: tuple[str, ...]) -> None:
        """Store the cache for the project's next build; as on AWS, folders only."""
        for path in paths:
            kept, made = self._cached(path)
            if made.is_dir() and made not in {self.source.resolve(), self.home.resolve()}:
                shutil.rmtree(kept, ignore_errors=True)
                kept.parent.mkdir(parents=True, exist_ok=True)
                made.rename(kept)

    def release(self) -> None:
        """Empty the folder and release its lock."""
        self._discard()
        self._guard.close()

    def sweep(self) -> None:
        """Delete discarded files; after `release`, so that the next build does not wait."""
        for trash in self._trash:
            shutil.rmtree(trash, ignore_errors=True)

    def _discard(self) -> None:
        trash = self.folder / _DISCARDED / uuid.uuid4().hex
        trash.mkdir()
        self._trash.append(trash)
        for each in self.folder.iterdir():
            if each.name not in _KEPT_ENTRIES:
                each.rename(trash / each.name)

    def _cached(self, pattern: str) -> tuple[Path, Path]:
        """Return the stored and the used path of a cache pattern such as `.cache/**/*`."""
        text = pattern.split("*", 1)[0]
        for prefix in ("/root/", "~/", "$HOME/"):
            if text.startswith(prefix):
                base, text = self.home.resolve(), text.removeprefix(prefix)
                break
        else:
            base = self.source.resolve()
        target = (base / text).resolve()
        if not target.is_relative_to(base):
            raise BuildspecError(
                f"cache path {pattern} is not part of the local cloud: it is outside of the "
                "source and of the home",
                "INVALID_INPUT",
            )
        return self.folder / "cache" / base.name / target.relative_to(base), target


def folder_name(ledger: Ledger, project_arn: str) -> str:
    """Return the name of a project's folder: its number in the order of first builds.

    A pipeline that is deployed again builds in the same folders. Python keeps bytecode by the path
    of its source, so that the bytecode is reused even after the state folder was deleted.
    """
    with ledger.transaction():
        known = ledger.get(_NUMBER, project_arn)
        if known is None:
            known = {"number": len(ledger.all(_NUMBER)) + 1}
            ledger.put(_NUMBER, project_arn, known)
    return str(known["number"])


def _claim(root: Path, name: str) -> tuple[Path, IO[str]]:
    for number in range(1000):
        folder = root / (name if number == 0 else f"{name}.{number}")
        folder.mkdir(parents=True, exist_ok=True)
        guard = (folder / "lock").open("w")
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            guard.close()
        else:
            return folder, guard
    raise RuntimeError(f"folder {name}: 1000 builds use its copies; at most 1000 can run at a time")
