"""Record the settings in files that can refuse a release: the safeguards.

These are limits, policies, waivers and scanners' configurations. The template metadata of prod's
stack contains the record. A promotion deploys it, so that the next release is compared with the
last promoted one, and not with a file that the release itself may edit. Files are read without a
schema, because the comparing code is older than the files.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from typing import TYPE_CHECKING, Any

from pipeline.service import DELIVERY, INTEGRATION_TESTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

METADATA = "Pithead::Safeguards"
"""Key of the record in the metadata of prod's template."""
WAIVERS = "pipeline/waivers.toml"
FOLDERS = ("environments", "pipeline", "requirements", DELIVERY)
"""Folders with the code of gate `changes`, the locks of its packages, and the service's name."""
CODE = "code"
"""Key of the digests of the gates' code."""
_TABLES = ("pithead", "pytest")
"""Tables of `pyproject.toml` that can refuse a release."""
_CONFIGURATIONS = (
    ".cfnlintrc", ".cfnlintrc.yaml", ".cfnlintrc.yml", "pipeline/gates/scanners/secrets.yaml",
)  # fmt: skip
"""Configurations of scanners, of which a digest is recorded; gate `security` rejects others."""
_CODE = (
    "environments/*.py", "pipeline/*", "requirements", DELIVERY, INTEGRATION_TESTS,
)  # fmt: skip
"""Files and folders with code that can refuse a release (gates, stacks, judge), of which a digest
is recorded for each."""


class SafeguardsError(Exception):
    """A file cannot be read, or is no TOML; the message says which."""


def read(root: Path) -> dict[str, Any]:
    """Return the safeguards of a checkout by file, as JSON values.

    Raises:
        SafeguardsError: a file cannot be read.
    """
    pyproject = _toml(root / "pyproject.toml")
    documents = {
        path.relative_to(root).as_posix(): _toml(path)
        for path in sorted((root / "environments").glob("*.toml"))
    }
    documents["pyproject.toml"] = {
        table: found for table, found in pyproject.get("tool", {}).items() if table in _TABLES
    }
    documents[WAIVERS] = _toml(root / WAIVERS) if (root / WAIVERS).exists() else {}
    for name in _CONFIGURATIONS:
        if (root / name).is_file():
            documents[name] = {"sha256": hashlib.sha256((root / name).read_bytes()).hexdigest()}
    documents[CODE] = {
        place.relative_to(root).as_posix(): _digest(place) for place in _places(root)
    }
    return _as_json(documents)


def as_metadata(safeguards: dict[str, Any]) -> dict[str, str]:
    """Return the record for a template's metadata, as text: CloudFormation allows no fractions."""
    return {METADATA: json.dumps(safeguards, sort_keys=True, separators=(",", ":"))}


def from_metadata(metadata: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the record in a template's metadata; None if there is none, empty if it is invalid."""
    if METADATA not in metadata:
        return None
    try:
        found = json.loads(metadata[METADATA])
    except (TypeError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SafeguardsError(
            f"{path.parent.name}/{path.name}: found invalid TOML: {error}; run pithead check"
        ) from error


def _places(root: Path) -> Iterator[Path]:
    found = (place for pattern in _CODE for place in sorted(root.glob(pattern)))
    yield from (each for each in found if each != root / WAIVERS and any(_files(each)))


def _digest(place: Path) -> str:
    """Return the SHA-256 of a file, or of all files of a folder by path."""
    sums = hashlib.sha256()
    for path in _files(place):
        sums.update(f"{path.relative_to(place).as_posix()}\0".encode())
        sums.update(hashlib.sha256(path.read_bytes()).digest())
    return sums.hexdigest()


def _files(place: Path) -> Iterator[Path]:
    found = [place] if place.is_file() else place.rglob("*")
    yield from sorted(each for each in found if each.is_file() and each.suffix != ".pyc")


def _as_json(document: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(
        json.dumps(document, default=str, sort_keys=True), parse_float=_number
    )
    return made


def _number(text: str) -> float:
    """Return a number in CDK's form: 1.0 is 1."""
    found = float(text)
    return int(found) if found.is_integer() else found
