"""Read the distributions in a bundle from their metadata, with the components inside of them."""

from __future__ import annotations

import json
import re
import zipfile
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.metadata import RawMetadata, parse_email
from packaging.utils import canonicalize_name

from pipeline.gates.report.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from pipeline.gates.supply_chain.lock import Pin

# At any depth, because packages inside of a package are deployed, too.
_METADATA_FILE = re.compile(r"(?P<folder>.+\.dist-info)/(?P<part>METADATA|sboms/[^/]+\.json)")
TOOL = "contents"


class ContentsError(Exception):
    """A bundle cannot be read."""


@dataclass(frozen=True)
class Vendored:
    """A component of another language inside of a wheel, from the wheel's own SBOM."""

    name: str
    version: str
    purl: str
    declared: str
    """Declared licence; several are joined by AND."""
    sha256: str = ""


@dataclass(frozen=True)
class Distribution:
    """An installed Python package."""

    name: str
    """Normalised name (PEP 503)."""
    version: str
    metadata: RawMetadata
    vendored: tuple[Vendored, ...] = ()


def read(bundle: Path) -> tuple[Distribution, ...]:
    """Return the distributions of a bundle, sorted by name.

    Raises:
        ContentsError: it is no zip, or a distribution's metadata or SBOM cannot be read.
    """
    folders: dict[str, dict[str, bytes]] = defaultdict(dict)
    try:
        with zipfile.ZipFile(bundle) as archive:
            names = archive.namelist()
            twice = [name for name, count in Counter(names).items() if count > 1]
            if twice:
                raise ContentsError(f"the bundle contains {twice[0]} twice; build it again")
            for name in names:
                if match := _METADATA_FILE.fullmatch(name):
                    folders[match["folder"]][match["part"]] = archive.read(name)
    except (OSError, zipfile.BadZipFile) as error:
        raise ContentsError(f"the bundle cannot be read: {error}") from error
    return tuple(
        sorted(
            (_distribution(folder, parts) for folder, parts in folders.items()),
            key=lambda each: each.name,
        )
    )


def against_the_lock(
    distributions: Sequence[Distribution], pins: Sequence[Pin], lock: str
) -> Iterator[Finding]:
    """Find differences between the deployed packages and the locked ones."""
    locked = {(pin.name, pin.version) for pin in pins}
    for each in distributions:
        if (each.name, each.version) not in locked:
            yield Finding(
                TOOL,
                "not-locked",
                f"{each.name} {each.version} is in the bundle and not in the lock; "
                "build it again from the lock",
                path=lock,
                subject=each.name,
            )
    deployed = {each.name for each in distributions}
    for pin in pins:
        if pin.marker is None and pin.name not in deployed:
            yield Finding(
                TOOL,
                "not-deployed",
                f"{pin.name} {pin.version} is locked and not in the bundle; "
                "build it again from the lock",
                path=lock,
                line=pin.line,
                subject=pin.name,
            )


def _distribution(folder: str, parts: dict[str, bytes]) -> Distribution:
    metadata, _ = parse_email(parts.pop("METADATA", b""))
    if "name" not in metadata or "version" not in metadata:
        raise ContentsError(f"{folder}/METADATA names no package and version")
    vendored = [
        each for part in sorted(parts) for each in _vendored(f"{folder}/{part}", parts[part])
    ]
    return Distribution(
        canonicalize_name(metadata["name"]), metadata["version"], metadata, tuple(vendored)
    )


def _vendored(path: str, text: bytes) -> Iterator[Vendored]:
    """Yield the components in a wheel's own CycloneDX document (PEP 770), without build tools."""
    try:
        document = json.loads(text)
        if document.get("bomFormat") != "CycloneDX":
            raise ContentsError(f"{path}: found an SBOM of another format; allowed is CycloneDX")
        for each in _components(document.get("components", [])):
            yield Vendored(
                each["name"],
                each.get("version", ""),
                each.get("purl", ""),
                " AND ".join(_licences(each)),
                next((h["content"] for h in each.get("hashes", []) if h["alg"] == "SHA-256"), ""),
            )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ContentsError(f"{path} is no CycloneDX document: {error!r}") from error


def _components(found: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for each in found:
        if each.get("scope") != "excluded":
            yield each
            yield from _components(each.get("components", []))


def _licences(component: dict[str, Any]) -> Iterator[str]:
    for choice in component.get("licenses", []):
        if "expression" in choice:
            yield (
                f"({choice['expression']})"
                if len(component["licenses"]) > 1
                else choice["expression"]
            )
        else:
            yield choice["license"].get("id") or choice["license"]["name"]
