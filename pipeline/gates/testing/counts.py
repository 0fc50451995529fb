"""Compare the number of tests and their results with the last promoted release."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from pipeline.gates.report.findings import Finding
from pipeline.gates.testing.census import function_of
from pipeline.gates.testing.hooks import TOOL

if TYPE_CHECKING:
    from pipeline.gates.testing.session import Session

_MAX_SHOWN_TESTS = 5


@dataclass(frozen=True)
class TestCounts:
    """The numbers of tests of one run, by outcome."""

    __test__ = False  # it is no class of tests

    collected: int
    passed: int
    skipped: int
    xfailed: int
    deselected: int
    functions: tuple[str, ...]
    """Node ids without parameters, so that more parameters cannot replace a removed test."""

    @classmethod
    def of(cls, session: Session) -> TestCounts:
        """Count the outcomes of a session; an unexpected pass counts as passed."""
        ended = Counter(each.outcome for each in session.results)
        return cls(
            collected=len(session.collected),
            passed=ended["passed"] + ended["xpassed"],
            skipped=ended["skipped"],
            xfailed=ended["xfailed"],
            deselected=len(set(session.collected) - set(session.selected)),
            functions=tuple(sorted({function_of(each) for each in session.selected})),
        )

    def losses(self, promoted: TestCounts) -> list[str]:
        """Return each number that is worse than in the promoted release, as `passed 12 to 11`."""
        fewer = {
            "tests": (len(promoted.functions), len(self.functions)),
            "collected": (promoted.collected, self.collected),
            "passed": (promoted.passed, self.passed),
        }
        more = {
            name: (getattr(promoted, name), getattr(self, name))
            for name in ("skipped", "xfailed", "deselected")
        }
        return [
            f"{name} {was} to {now}"
            for numbers, worse in ((fewer, int.__lt__), (more, int.__gt__))
            for name, (was, now) in numbers.items()
            if worse(now, was)
        ]


def compared(counts: TestCounts, promoted: TestCounts, commit: str) -> list[Finding]:
    """Return a finding if numbers of tests are worse than in the promoted release."""
    losses = counts.losses(promoted)
    if not losses:
        return []
    removed = sorted(set(promoted.functions) - set(counts.functions))
    more = f" and {len(removed) - _MAX_SHOWN_TESTS} more" if len(removed) > _MAX_SHOWN_TESTS else ""
    named = f"; removed: {', '.join(removed[:_MAX_SHOWN_TESTS])}{more}" if removed else ""
    subject = ", ".join(losses)
    return [
        Finding(
            tool=TOOL,
            rule="fewer-tests",
            message=f"since {commit[:7]} was promoted: {subject}{named}. Restore the tests, or "
            "waive this subject in pipeline/waivers.toml",
            subject=subject,
        )
    ]


def as_details(counts: TestCounts) -> dict[str, object]:
    """Return the counts for a gate's summary."""
    return asdict(counts)
