"""Match the SBOMs that are published next to bundles with their bundles."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pipeline.gates.report.findings import Finding
from pipeline.names import SERVICE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

MEDIA_TYPE = "application/vnd.cyclonedx+json"
SUFFIX = ".cdx.json"
TOOL = "sbom"


def missing(text: str, files: Iterable[Path]) -> Iterator[Finding]:
    """Yield a finding if a bundle's SBOM is not among the published files."""
    if not any(
        file.stat().st_size == len(text.encode()) and file.read_text() == text for file in files
    ):
        yield Finding(
            TOOL,
            "no-sbom",
            "the bundle's SBOM is not published next to it; synthesise again from this commit",
            subject=SERVICE,
        )


def describes(text: bytes, bundle: str) -> bool:
    """Return whether a text is the SBOM of the bundle with this SHA-256 (hexadecimal)."""
    try:
        hashes = json.loads(text)["metadata"]["component"]["hashes"]
        return any(each["content"] == bundle for each in hashes)
    except (ValueError, KeyError, TypeError):
        return False
