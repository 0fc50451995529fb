"""The folder that a build works in: sources in, artifacts out, a cache kept."""

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
_LASTING = {"cache", "lock", _DISCARDED}


class Workspace:
    """A folder that is a project's own for as long as a build holds it.

    Builds of one project at the same time have different ones; the first that is free is taken,
    so that a project's sources mostly stand at the same place.
    """

    def __init__(self, root: Path, name: str) -> None:
        self.folder, self._guard = _claim(root, name)
        self.project = name
        (self.folder / _DISCARDED).mkdir(exist_ok=True)
        self._graves = [*(self.folder / _DISCARDED).iterdir()]  # a kill may have left some
        self._discard()
        for folder in self.own:
            folder.mkdir()

    @property
    def own(self) -> list[Path]:
        """The folders that a build writes."""
        return [self.folder / part for part in ("src", "home", "run", "inputs", "tmp")]

    @property
    def temporary(self) -> Path:
        """The build's TMPDIR."""
        return self.folder / "tmp"

    @property
    def source(self) -> Path:
        """Where the primary source is, and where commands begin."""
        return self.folder / "src"

    @property
    def home(self) -> Path:
        """The build's HOME."""
        return self.folder / "home"

    @property
    def run(self) -> Path:
        """Where a build's own scripts and state are."""
        return self.folder / "run"

    def place(self, name: str, *, primary: bool) -> Path:
        """Where an input artifact goes."""
        return self.source if primary else self.folder / "inputs" / name

    def restore(self, paths: tuple[str, ...]) -> None:
        """Bring a local cache back, as far as there is one (`LOCAL_CUSTOM_CACHE`).

        Raises:
            BuildspecError: a path is outside of the source and of the home.
        """
        for path in paths:
            kept, target = self._cached(path)
            if kept.exists() and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                kept.rename(target)

    def keep(self, paths: tuple[str, ...]) -> None:
        """Keep the cache for the project's next build; as on AWS, folders only."""
        for path in paths:
            kept, made = self._cached(path)
            if made.is_dir() and made not in {self.source.resolve(), self.home.resolve()}:
                shutil.rmtree(kept, ignore_errors=True)
                kept.parent.mkdir(parents=True, exist_ok=True)
                made.rename(kept)

    def release(self) -> None:
        """Give the folder back."""
        self._discard()
        self._guard.close()

    def sweep(self) -> None:
        """Delete what is discarded, after `release`: the project's next build need not wait."""
        for grave in self._graves:
            shutil.rmtree(grave, ignore_errors=True)

    def _discard(self) -> None:
        grave = self.folder / _DISCARDED / uuid.uuid4().hex
        grave.mkdir()
        self._graves.append(grave)
        for each in self.folder.iterdir():
            if each.name not in _LASTING:
                each.rename(grave / each.name)

    def _cached(self, pattern: str) -> tuple[Path, Path]:
        """Where the folder in front of a pattern such as `.cache/**/*` is kept, and its place."""
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
                f"cache path {pattern} is not part of the local cloud: it lies outside of the "
                "source and of the home",
                "INVALID_INPUT",
            )
        return self.folder / "cache" / base.name / target.relative_to(base), target


def numbered(ledger: Ledger, project_arn: str) -> str:
    """The name of a project's folder: its number in the order in which projects first built.

    A pipeline that is deployed anew builds at the same places, so that bytecode, which Python
    keeps by a source's place, outlives even the state folder.
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
    raise RuntimeError(f"a thousand builds hold folder {name}")
