"""Read the texts that git publishes besides files: commits, tags, notes, and names of files.

Everyone who can read the repository can read them. They are written to one text file per kind,
because Kingfisher scans files; each line of such a file is traced back to its origin.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.gates.scanners.repository import git, names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_HASH_HEADERS = (b"tree ", b"parent ", b"object ")
"""Headers with hashes of git; a rule would take 40 hexadecimal digits for a key."""
_MAX_HASH_CHARACTERS = 64


@dataclass
class Texts:
    """Texts of one kind, and the first line of each in the file that they are written to."""

    kind: str
    content: bytearray = field(default_factory=bytearray)
    _lines: list[int] = field(default_factory=list)
    _origins: list[str] = field(default_factory=list)
    _next: int = 1

    def add(self, origin: str, text: bytes) -> None:
        """Append a text; `origin` is a phrase that says where it is."""
        self._lines.append(self._next)
        self._origins.append(origin)
        self.content += text + b"\n"
        self._next += text.count(b"\n") + 1

    def origin(self, line: int) -> str:
        """Return the origin of the text in a line."""
        return self._origins[bisect_right(self._lines, line) - 1]


def texts(root: Path) -> list[Texts]:
    """Return all texts of the commits that lead to HEAD, and of all tags and notes of the clone.

    Raises:
        CouldNotRunError: the checkout is no clone of a repository.
    """
    return [_commits(root), _tags(root), _notes(root), _paths(root)]


def new_names(paths: Iterable[str]) -> Texts:
    """Return the names of files that are not committed yet."""
    found = Texts("names")
    for path in paths:
        found.add("in the name of a file that is not committed yet", os.fsencode(path))
    return found


def _commits(root: Path) -> Texts:
    found = Texts("commits")
    for name, _, content in _objects(root, git(root, "rev-list", "HEAD")):
        found.add(f"in the message or the author of commit {name[:12]}", content)
    return found


def _tags(root: Path) -> Texts:
    found = Texts("tags")
    listed = git(root, "for-each-ref", "--format=%(objectname) %(objecttype) %(refname)")
    refs = [line.split(b" ", 2) for line in listed.splitlines()]
    tags = [(name, kind, ref) for name, kind, ref in refs if ref.startswith(b"refs/tags/")]
    for name, _, ref in tags:
        found.add(f"in the name of a tag of object {name.decode()[:12]}", ref)
    left = [name for name, kind, _ in tags if kind == b"tag"]
    while left:
        inner = []
        for tag, _, content in _objects(root, b"\n".join(left)):
            found.add(f"in the annotated tag {tag[:12]}", content)
            inner += _tagged(root, tag)
        left = inner
    return found


def _tagged(root: Path, tag: str) -> list[bytes]:
    """Return the tag that a tag refers to, if any."""
    header = git(root, "cat-file", "tag", tag).split(b"\n", 2)
    return [header[0].removeprefix(b"object ")] if header[1] == b"type tag" else []


def _notes(root: Path) -> Texts:
    found = Texts("notes")
    listed = git(root, "rev-list", "--objects", "--glob=refs/notes/*")
    for name, kind, content in _objects(
        root, b"\n".join(line[:_MAX_HASH_CHARACTERS].split()[0] for line in listed.splitlines())
    ):
        if kind != "tree":
            found.add(f"in the git note {name[:12]}", content)
    return found


def _paths(root: Path) -> Texts:
    found = Texts("paths")
    added = ["log", "-m", "-z", "--no-renames", "--name-only", "--diff-filter=A"]
    listed = git(root, "-c", "log.showRoot=true", *added, "--format=", "HEAD")
    for path in names(listed):
        found.add("in the name of a file in the history", os.fsencode(path))
    return found


def _objects(root: Path, listed: bytes) -> Iterator[tuple[str, str, bytes]]:
    """Yield name, type and content of the listed objects, without git's own hashes in headers."""
    answer = git(root, "cat-file", "--batch", given=listed.rstrip(b"\n") + b"\n") if listed else b""
    at = 0
    while at < len(answer):
        end = answer.index(b"\n", at)
        name, kind, size = answer[at:end].decode().split()
        content = answer[end + 1 : end + 1 + int(size)]
        at = end + 2 + int(size)
        header, separator, rest = content.partition(b"\n\n")
        if kind in {"commit", "tag"}:
            kept = [line for line in header.split(b"\n") if not line.startswith(_HASH_HEADERS)]
            content = b"\n".join(kept) + separator + rest
        yield name, kind, content
