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

_SHOWN = 5
"""Names of tests in a message."""


@dataclass(frozen=True)
class Counts:
    """Of one run of tests."""

    collected: int
    passed: int
    skipped: int
    xfailed: int
    deselected: int
    functions: tuple[str, ...]
    """Node ids without parameters, so that parameters cannot make up for a test that is gone."""

    @classmethod
    def of(cls, session: Session) -> Counts:
        """Count a session; what passes although it is expected to fail has passed."""
        ended = Counter(each.outcome for each in session.results)
        return cls(
            collected=len(session.collected),
            passed=ended["passed"] + ended["xpassed"],
            skipped=ended["skipped"],
            xfailed=ended["xfailed"],
            deselected=len(set(session.collected) - set(session.selected)),
            functions=tuple(sorted({function_of(each) for each in session.selected})),
        )

    def losses(self, promoted: Counts) -> list[str]:
        """Each number that is worse than the promoted release's, as `passed 12 to 11`."""
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


def compared(counts: Counts, promoted: Counts, commit: str) -> list[Finding]:
    """A finding if tests have disappeared since a commit was promoted."""
    losses = counts.losses(promoted)
    if not losses:
        return []
    gone = sorted(set(promoted.functions) - set(counts.functions))
    more = f" and {len(gone) - _SHOWN} more" if len(gone) > _SHOWN else ""
    named = f"; gone: {', '.join(gone[:_SHOWN])}{more}" if gone else ""
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


def as_details(counts: Counts) -> dict[str, object]:
    """What a gate's summary keeps."""
    return asdict(counts)
