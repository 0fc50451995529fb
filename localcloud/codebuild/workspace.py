"""The folder that a build works in: sources in, artifacts out, a cache kept."""

from __future__ import annotations

import fcntl
import io
import shutil
import zipfile
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from localcloud.codebuild.buildspec import Artifacts


class Workspace:
    """A folder that is a project's own for as long as a build holds it."""

    def __init__(self, root: Path, project: str) -> None:
        self.folder, self._guard = _claim(root, project)
        for name in ("src", "home", "run"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
            (self.folder / name).mkdir(parents=True)

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
        """Bring a local cache back, as far as there is one (`LOCAL_CUSTOM_CACHE`)."""
        for path in paths:
            kept = self.folder / "cache" / _root(path)
            target = self.source / _root(path)
            if kept.exists() and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                kept.rename(target)

    def keep(self, paths: tuple[str, ...]) -> None:
        """Keep the cache for the project's next build."""
        for path in paths:
            made = self.source / _root(path)
            if made.exists():
                kept = self.folder / "cache" / _root(path)
                shutil.rmtree(kept, ignore_errors=True)
                kept.parent.mkdir(parents=True, exist_ok=True)
                made.rename(kept)

    def release(self) -> None:
        """Give the folder back."""
        shutil.rmtree(self.source, ignore_errors=True)
        self._guard.close()


def _claim(root: Path, project: str) -> tuple[Path, IO[str]]:
    for number in range(1000):
        folder = root / (project if number == 0 else f"{project}.{number}")
        folder.mkdir(parents=True, exist_ok=True)
        guard = (folder / "lock").open("w")
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            guard.close()
        else:
            return folder, guard
    raise RuntimeError(f"a thousand builds of {project} hold their folders")


def _root(pattern: str) -> str:
    """The folder in front of a cache pattern such as `.cache/**/*`."""
    return pattern.split("*", 1)[0].strip("/") or "."


def unpack(content: bytes, folder: Path) -> None:
    """A zip's files, executable where they were."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for entry in archive.infolist():
            path = Path(archive.extract(entry, folder))
            mode = (entry.external_attr >> 16) & 0o777
            if mode and path.is_file():
                path.chmod(mode | 0o600)


def pack(source: Path, artifacts: Artifacts) -> bytes:
    """The files that a build leaves, as a zip.

    Raises:
        FileNotFoundError: nothing matches.
    """
    base = source / artifacts.base_directory
    chosen = [
        path
        for path in sorted(base.rglob("*"))
        if path.is_file()
        and any(_matches(path.relative_to(base), each) for each in artifacts.files)
    ]
    if not chosen:
        raise FileNotFoundError(f"no matching artifact paths found in {artifacts.base_directory}")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in chosen:
            name = path.name if artifacts.discard_paths else str(path.relative_to(base))
            archive.write(path, name)
    return packed.getvalue()


def _matches(path: Path, pattern: str) -> bool:
    return pattern in {"**/*", "**"} or fnmatchcase(str(path), pattern.replace("**/", "*"))
