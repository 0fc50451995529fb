"""Select a build's output files; pack and unpack zips."""

from __future__ import annotations

import io
import os
import re
import stat
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from localcloud.codebuild.buildspec import Files


class NoFilesError(Exception):
    """No file matches; the message is AWS's."""


def select(source: Path, wanted: Files, readable: Callable[[Path], bool]) -> dict[str, Path]:
    """Select files; return them by their names in the artifact, in order.

    `**/*` is every file below the base directory, `folder/*` those directly in the folder.
    `readable` returns whether the build itself may read a file.

    Raises:
        NoFilesError: no base directory matches, no file matches, or a match is a link to a file
            that the build may not read.
    """
    bases = _bases(source, wanted.base_directory)
    found: dict[str, Path] = {}
    keep, leave = _any(wanted.files), _any(wanted.exclude)
    for base in bases:
        for folder, below, names in os.walk(base):
            below.sort()
            for name in sorted(names):
                path = Path(folder, name)
                relative = path.relative_to(base).as_posix()
                if keep.fullmatch(relative) and not leave.fullmatch(relative) and path.is_file():
                    if not readable(path):
                        raise NoFilesError(f"open {relative}: permission denied")
                    found[name if wanted.discard_paths else relative] = path
    if not found:
        raise NoFilesError("no matching artifact paths found")
    return found


def pack(files: dict[str, Path]) -> bytes:
    """Return a zip of the files with their modes; links are followed."""
    packed = io.BytesIO()
    with zipfile.ZipFile(
        packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1, strict_timestamps=False
    ) as archive:
        for name, path in files.items():
            archive.write(path, name)
    return packed.getvalue()


def unpack(content: bytes, folder: Path) -> None:
    """Extract a zip into a folder, with the executable bits of its files.

    A link becomes a file with its target as text, as CodeBuild extracts the zip that a source
    action makes of a repository (aws-cdk#7343, aws-cdk#14520).

    Raises:
        zipfile.BadZipFile: the content is not a zip.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for entry in archive.infolist():
            mode = entry.external_attr >> 16
            path = Path(archive.extract(entry, folder))
            if mode & 0o111 and path.is_file() and not stat.S_ISLNK(mode):
                path.chmod(mode & 0o777 | 0o600)


def _bases(source: Path, declared: str) -> list[Path]:
    root = source / declared
    if "*" in declared or "?" in declared:
        bases = sorted(each for each in source.glob(declared) if each.is_dir())
    else:
        bases = [root] if root.is_dir() else []
    if not bases:
        raise NoFilesError(f"no matching base directory path found for {declared}")
    return bases


def _any(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(_expression(each) for each in patterns) or r"(?!)")


def _expression(pattern: str) -> str:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern.removeprefix("./"))
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(meaning.get(part, re.escape(part)) for part in parts)
