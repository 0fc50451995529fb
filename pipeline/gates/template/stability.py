"""Compare what two syntheses of the same sources would deploy.

If an assembly changes without a change of the sources, the pipeline changes itself endlessly, and
every release deploys everything (aws-cdk#9080, #9766, #14664). Only what is deployed is compared:
templates and their configuration, assets, files that a template names, and the manifest's stacks
and assets. The construct tree, metadata, reports and timings (aws-cdk#38004) may differ.
"""

from __future__ import annotations

import json
import re
import zipfile
from typing import TYPE_CHECKING, Any

from pipeline.gates.report.findings import Finding
from pipeline.gates.template.assembly import named
from pipeline.gates.template.rules import TOOL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RULE = "PH601"
_HASH = re.compile(r"[0-9a-f]{32,}")
_MAX_VALUE_CHARACTERS = 80
_MANIFEST = "manifest.json"
"""It repeats parts of templates and assets, so its differences are reported only if these agree."""
_DEPLOYED_FILE = re.compile(
    r"(.*/)?(asset\.[^/]+(/.*)?|[^/]+\.template\.json(\.config\.json)?|[^/]+\.assets\.json)"
)
_DEPLOYED_ARTIFACTS = {"aws:cloudformation:stack", "cdk:asset-manifest", "cdk:cloud-assembly"}
_DEPLOYED_PARTS = ("type", "environment", "properties", "dependencies")


def differences(first: Path, second: Path) -> list[Finding]:
    """Return one finding for each file that differs, with the first place and both values.

    Subjects contain no hashes, so that they are the same in every run.
    """
    files = sorted(_files(first) | _files(second))
    found = [each for file in files for each in _compared(first, second, file)]
    causes = [each for each in found if not each.path.endswith(_MANIFEST)]
    return causes or found


def _files(folder: Path) -> set[str]:
    """Return the files of an assembly that decide what is deployed."""
    files = {
        path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()
    }
    templates = [
        path.read_text(encoding="utf-8", errors="replace")
        for name, path in files.items()
        if name.endswith(".template.json")
    ]
    return {
        name
        for name, path in files.items()
        if _DEPLOYED_FILE.fullmatch(name)
        or path.name == _MANIFEST
        # CDK Pipelines passes a buildspec to a build as such a file.
        or any(f'"{path.name}"' in text for text in templates)
    }


def _compared(first: Path, second: Path, file: str) -> Iterator[Finding]:
    one, other = first / file, second / file
    if not one.exists() or not other.exists():
        # A difference of the manifest shows an asset with another hash.
        if not _HASH.search(file):
            yield _finding(first, one, "", "only one of two syntheses wrote it")
    elif one.read_bytes() != other.read_bytes() and (place := _where(one, other)):
        where, values = place
        yield _finding(first, one, where, f"two syntheses of the same sources differ{values}")


def _finding(folder: Path, file: Path, where: str, what: str) -> Finding:
    path = _HASH.sub("…", named(folder, file))
    return Finding(
        tool=TOOL,
        rule=RULE,
        message=f"{what}; remove what differs between runs: a time, a random number, the order of "
        "a set, a path of the machine",
        path=path,
        subject=_HASH.sub("…", where) or path,
    )


def _where(one: Path, other: Path) -> tuple[str, str] | None:
    """Return the first place at which two files differ, and a phrase with both values.

    None if they differ only in parts that are not deployed, or are compared elsewhere.
    """
    try:
        if zipfile.is_zipfile(one) and zipfile.is_zipfile(other):
            entry = _entry(one, other)
            return entry, f" at {entry}, under the same hash"
        if one.suffix != ".json":
            return "", ""
        documents = [json.loads(each.read_text(encoding="utf-8")) for each in (one, other)]
    except ValueError:
        return "", ""
    if one.name.endswith(".assets.json") or one.name == _MANIFEST:
        reduce = _manifest if one.name == _MANIFEST else _assets
        documents = [reduce(each) for each in documents]
        if documents[0] == documents[1]:
            return None
    place = _place(*documents)
    if place is None:
        return "", " in the order of their keys"
    where, *values = place
    shown = " and ".join(
        json.dumps(each, ensure_ascii=False)[:_MAX_VALUE_CHARACTERS] for each in values
    )
    return where, f" at {where}: {shown}"


def _assets(document: Any) -> Any:
    """Return a manifest of assets without the templates, whose files are compared."""
    files = document.get("files", {})
    kept = {
        key: each
        for key, each in files.items()
        if not str(each.get("source", {}).get("path")).endswith(".template.json")
    }
    return document | {"files": kept}


def _manifest(document: Any) -> Any:
    """Return the stacks and assets of an assembly's manifest, without their metadata."""
    return {
        name: {part: artifact[part] for part in _DEPLOYED_PARTS if part in artifact}
        for name, artifact in document.get("artifacts", {}).items()
        if artifact.get("type") in _DEPLOYED_ARTIFACTS
    }


def _entry(one: Path, other: Path) -> str:
    with zipfile.ZipFile(one) as before, zipfile.ZipFile(other) as after:
        sums = [{each.filename: each.CRC for each in zip_.infolist()} for zip_ in (before, after)]
    names = sorted(sums[0].keys() | sums[1].keys())
    return next((each for each in names if sums[0].get(each) != sums[1].get(each)), "its entries")


def _place(one: Any, other: Any, path: str = "") -> tuple[str, Any, Any] | None:
    """Return the first place, in the order of keys, at which two documents differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            inner = f"{path}.{key}" if path else key
            if key not in one or key not in other:
                missing = one.get(key, other.get(key))
                return inner, missing if key in one else None, missing if key in other else None
            if found := _place(one[key], other[key], inner):
                return found
        return None
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = zip(one, other, strict=True)
        return next(
            (found for n, each in enumerate(pairs) if (found := _place(*each, f"{path}.{n}"))), None
        )
    return None if one == other else (path, one, other)
