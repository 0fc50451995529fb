"""Compare a bundle, file by file, with its commit and its lock.

The build that made the bundle also ran the commit's tests with the same rights, so it is not
trusted. The repository's own files are compared with the blobs of the commit, and all others,
bytecode included, with a bundle that is rebuilt here.
"""

from __future__ import annotations

import subprocess
import zipfile
from typing import TYPE_CHECKING

from pipeline.service import APP

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pipeline.gates.supply_chain.function_code import Code

OWN = ("pipeline", "service")
"""Folders of the repository whose files are in bundles."""
SERVICE = f"{APP}/"
SIGNATURE = ("META-INF/", "META_INF/")
"""Folders of the files that a signer adds to a zip; AWS does not document which one."""
_MAX_SHOWN = 5


class OriginError(Exception):
    """The expected contents of a bundle cannot be determined."""


def committed(root: Path, commit: str) -> dict[str, bytes]:
    """Return the files of a commit that may be in bundles, by path.

    Raises:
        OriginError: the checkout is no clone with this commit.
    """
    listed = _git(root, "ls-tree", "-r", "-z", "--full-tree", commit, "--", *OWN)
    entries = [each.partition(b"\t") for each in listed.split(b"\0") if each]
    # Symbolic links and submodules are no files: a bundle with a file at such a path is refused.
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
    """Return a sentence for each function whose bundle differs from its source.

    Args:
        code: the code of the deployed functions.
        commit: the files of the commit (see `committed`).
        rebuilt: the bundles that were rebuilt from this checkout.
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
            more = f" and {len(wrong) - _MAX_SHOWN} more" if len(wrong) > _MAX_SHOWN else ""
            found.append(f"the code of {each.function} {', '.join(wrong[:_MAX_SHOWN])}{more}")
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
            how = "compiled differently from" if compiled else "different from"
            yield f"has {name} {how} {source}"
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
