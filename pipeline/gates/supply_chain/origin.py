"""Compare a bundle, file by file, with its commit and its lock.

Another build made the bundle, next to the commit's tests and with the same rights, so that build is
not trusted. Our own files are compared with the blobs of the commit, and all others, bytecode
included, with a bundle that is rebuilt here.
"""

from __future__ import annotations

import subprocess
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pipeline.gates.supply_chain.assembly import Code

OWN = ("pipeline", "service")
"""Folders of the repository of which bundles are made."""
SERVICE = "service/"
SIGNATURE = ("META-INF/", "META_INF/")
"""Where a signer puts what it adds to a zip; AWS does not document which."""
_SHOWN = 5


class OriginError(Exception):
    """It cannot be found out what a bundle should hold."""


def committed(root: Path, commit: str) -> dict[str, bytes]:
    """Return the files of a commit of which bundles are made, by path.

    Raises:
        OriginError: the checkout is no clone with this commit.
    """
    listed = _git(root, "ls-tree", "-r", "-z", "--full-tree", commit, "--", *OWN)
    entries = [each.partition(b"\t") for each in listed.split(b"\0") if each]
    # A symbolic link, or another repository, is no file: a bundle that has it there is refused.
    blobs = {
        path.decode(errors="surrogateescape"): about.split()[2]
        for about, _, path in entries
        if about.startswith(b"100")
    }
    answer = _git(root, "cat-file", "--batch", given=b"\n".join([*blobs.values(), b""]))
    files, start = {}, 0
    for path in blobs:
        end = answer.index(b"\n", start)
        size = int(answer[start:end].split()[2])
        files[path] = answer[end + 1 : end + 1 + size]
        start = end + 1 + size + 1
    return files


def differences(
    code: Sequence[Code], commit: Mapping[str, bytes], rebuilt: Sequence[Path], *, signed: bool
) -> list[str]:
    """Return a sentence for each function whose bundle is not what was built again.

    Args:
        code: the functions that are deployed.
        commit: see `committed`.
        rebuilt: the bundles as this checkout makes them.
        signed: whether a signer has added its own files.

    Raises:
        OriginError: a bundle cannot be read.
    """
    made = [_entries(each) for each in rebuilt]
    found = []
    for each in code:
        shipped = _entries(each.file)
        if signed:
            shipped = {n: body for n, body in shipped.items() if not n.startswith(SIGNATURE)}
        expected = max(made, key=lambda other: len(other.keys() & shipped.keys()))
        wrong = sorted(set(_wrong(shipped, expected, commit)))
        if wrong:
            more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
            found.append(f"the code of {each.function} {', '.join(wrong[:_SHOWN])}{more}")
    return found


def _wrong(
    shipped: Mapping[str, bytes], expected: Mapping[str, bytes], commit: Mapping[str, bytes]
) -> Iterator[str]:
    for name in shipped.keys() | expected.keys():
        ours = name.startswith(tuple(f"{each}/" for each in OWN))
        compiled = name.endswith(".pyc")
        source = "the commit" if ours else "the lock"
        wanted = commit.get(name) if ours and not compiled else expected.get(name)
        if name not in shipped:
            yield f"lacks {name}"
        elif wanted is None or name not in expected:
            yield f"has {name}, which {source} does not have"
        elif shipped[name] != wanted:
            how = "compiled otherwise than" if compiled else "other than"
            yield f"has {name} {how} {source} has it"
    if any(name.startswith(SERVICE) for name in expected):
        for name in commit.keys() - shipped.keys():
            if name.startswith(SERVICE):
                yield f"lacks {name}"


def _entries(bundle: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(bundle) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except (OSError, zipfile.BadZipFile) as error:
        raise OriginError(f"{bundle.name} cannot be read: {error}") from error


def _git(root: Path, *arguments: str, given: bytes = b"") -> bytes:
    done = subprocess.run(
        ["git", *arguments], cwd=root, input=given, capture_output=True, check=False
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        raise OriginError(f"git {arguments[0]}: {said}; the gate needs a clone with the commit")
    return done.stdout
