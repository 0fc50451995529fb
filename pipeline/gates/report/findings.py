"""Findings of gates, and fingerprints that identify a finding across runs."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True)
class Finding:
    """One thing that a tool reports. An error refuses, a warning does not."""

    tool: str
    rule: str
    message: str
    path: str = ""
    """Path below the root of the checkout, with `/`; empty without a file."""
    line: int = 0
    """Line number from 1; 0 without a line."""
    severity: Literal["error", "warning"] = "error"
    subject: str = ""
    """A stable subject: a package, a logical id, the line's own text."""
    aliases: tuple[str, ...] = ()
    """Other names of the rule, such as an advisory's CVE, GHSA and PYSEC ids."""

    @property
    def fingerprint(self) -> str:
        """The fingerprint of a finding without duplicates; see `fingerprints`."""
        return _fingerprint(self, 0)

    @property
    def place(self) -> str:
        """File and line, for a message."""
        return f"{self.path}:{self.line}" if self.path and self.line else self.path or self.subject


def fingerprints(findings: Sequence[Finding]) -> list[str]:
    """Return the fingerprint of each: the first 32 hexadecimal digits of a SHA-256.

    It covers tool, rule, path and subject, and for duplicates of these a counter in the order of
    their lines. It covers no line number, so that an edit above the finding does not change it.
    """
    seen: Counter[tuple[str, ...]] = Counter()
    made = [""] * len(findings)
    for index in sorted(range(len(findings)), key=lambda index: _order(findings[index])):
        finding = findings[index]
        made[index] = _fingerprint(finding, seen[_kind(finding)])
        seen[_kind(finding)] += 1
    return made


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings in a stable order: errors first, then by place."""
    return tuple(sorted(findings, key=lambda each: (each.severity != "error", *_order(each))))


def _kind(finding: Finding) -> tuple[str, ...]:
    return (finding.tool, finding.rule, finding.path, finding.subject)


def _order(finding: Finding) -> tuple[str | int, ...]:
    """Return the sort key: the place, then all other fields, for a total order."""
    place = (finding.path, finding.line, finding.tool, finding.rule, finding.subject)
    return (*place, finding.message, finding.severity)


def _fingerprint(finding: Finding, occurrence: int) -> str:
    text = "\0".join((*_kind(finding), str(occurrence)))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
