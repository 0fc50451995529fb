"""Find deployed packages that no dependency group requires, even indirectly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from pipeline.gates.report.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.gates.supply_chain.contents import Distribution

TOOL = "declared"
_MACHINES = ("x86_64", "aarch64", "arm64")
"""The gate may run on another processor than the bundle."""


def check(
    distributions: Sequence[Distribution],
    declared: Sequence[str],
    lines: Mapping[str, int],
    lock: str,
) -> Iterator[Finding]:
    """Find deployed packages that are in the lock, but that no requirement needs.

    `declared` are the requirements of the deployed group.
    """
    known = {each.name: each for each in distributions}
    reached: set[tuple[str, str]] = set()
    left = [Requirement(each) for each in declared]
    while left:
        each = left.pop()
        name = canonicalize_name(each.name)
        for extra in ("", *each.extras):
            if (name, extra) not in reached:
                reached.add((name, extra))
                left += _needed(known[name], extra) if name in known else []
    names = {name for name, _ in reached}
    for distribution in distributions:
        if distribution.name not in names:
            yield Finding(
                TOOL,
                "undeclared",
                f"{distribution.name} {distribution.version} is deployed, but neither group "
                "service of pyproject.toml nor a package in it requires it; declare it there, "
                "or run make lock",
                path=lock,
                line=lines.get(distribution.name, 0),
                subject=distribution.name,
            )


def _needed(distribution: Distribution, extra: str) -> Iterator[Requirement]:
    for text in distribution.metadata.get("requires_dist", []):
        try:
            needed = Requirement(text)
        except InvalidRequirement:
            continue
        if needed.marker is None or any(
            needed.marker.evaluate({"platform_machine": machine, "extra": extra})
            for machine in _MACHINES
        ):
            yield needed
