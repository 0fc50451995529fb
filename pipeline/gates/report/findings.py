"""What a gate found, and how it is known again when it moves or is found a second time."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True)
class Finding:
    """One thing that a tool found. An error refuses, a warning is reported."""

    tool: str
    rule: str
    message: str
    path: str = ""
    """Below the root of the checkout, with `/`; empty where it is about no file."""
    line: int = 0
    """From 1; 0 where it is about no line."""
    severity: Literal["error", "warning"] = "error"
    subject: str = ""
    """What it is about, the same in every run: a package, a logical id, the line's own text."""
    aliases: tuple[str, ...] = ()
    """Other names of the rule: an advisory has one each as CVE, GHSA and PYSEC."""

    @property
    def fingerprint(self) -> str:
        """Of the first finding of its kind; see `fingerprints` for the others."""
        return _fingerprint(self, 0)

    @property
    def place(self) -> str:
        """Where it is, for a sentence."""
        return f"{self.path}:{self.line}" if self.path and self.line else self.path or self.subject


def fingerprints(findings: Sequence[Finding]) -> list[str]:
    """The fingerprint of each: the first 32 hexadecimal digits of a SHA-256.

    It is made of tool, rule, path, subject, and of a number where these are the same, in the
    order of the lines. No line number is in it, so that it outlives what is written above it.
    """
    seen: Counter[tuple[str, ...]] = Counter()
    made = [""] * len(findings)
    for index in sorted(range(len(findings)), key=lambda index: _order(findings[index])):
        finding = findings[index]
        made[index] = _fingerprint(finding, seen[_kind(finding)])
        seen[_kind(finding)] += 1
    return made


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Errors first, then by place: the same whatever the order in which they were found."""
    return tuple(sorted(findings, key=lambda each: (each.severity != "error", *_order(each))))


def _kind(finding: Finding) -> tuple[str, ...]:
    return (finding.tool, finding.rule, finding.path, finding.subject)


def _order(finding: Finding) -> tuple[str | int, ...]:
    """By place; by all else, too, so that only equal ones have no order."""
    place = (finding.path, finding.line, finding.tool, finding.rule, finding.subject)
    return (*place, finding.message, finding.severity)


def _fingerprint(finding: Finding, occurrence: int) -> str:
    text = "\0".join((*_kind(finding), str(occurrence)))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
