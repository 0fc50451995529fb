"""Check deployed packages against an organisation's list of approved packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pipeline.gates.report.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.gates.supply_chain.lock import Pin

TOOL = "approved"


def check(pins: Sequence[Pin], approvals: Sequence[str], lock: str) -> Iterator[Finding]:
    """Find pins that no approval (`name` or `name>=1,<2`) covers, whichever index has them.

    A pre-release is treated like any other version: the lock decides whether to use one.
    """
    allowed = [Requirement(each) for each in approvals]
    for pin in pins:
        named = [each.specifier for each in allowed if canonicalize_name(each.name) == pin.name]
        if any(specifier.contains(pin.version, prereleases=True) for specifier in named):
            continue
        versions = " or ".join(str(each) or "any version" for each in named)
        yield Finding(
            TOOL,
            "unapproved-version" if named else "unapproved-package",
            f"{pin.name} {pin.version} is not approved"
            + (f", only {versions} is" if named else "")
            + "; approve it in pyproject.toml, or remove it",
            path=lock,
            line=pin.line,
            subject=pin.name,
        )
