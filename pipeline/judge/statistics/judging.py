"""The decision over the closed periods of a canary: pure, without a clock and without AWS."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from pipeline.judge.statistics.objectives import Objectives

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pipeline.judge.statistics.periods import Parameters, Period

Verdict = Literal["rollback", "inconsistent", "better", "good", "undecided"]
"""In the order of precedence. "inconsistent": the service's counts cannot be trusted, so nothing
that follows from them is said. "better": the version before is worse than the canary."""
Ending = Literal["in progress", "succeeded", "stopped"]
"""What became of the deployment itself."""
Outcome = Literal[
    "in progress",
    "promoted",
    "promoted undecided",
    "promoted, then found bad",
    "rolled back",
    "rolled back undecided",
    "stopped as inconsistent",
    "refused as condemned before",
    "stopped in an incident",
    "stopped by another",
]
"""What came of the release. A canary is "found bad" after its promotion when counts that came
after the bake condemned it."""
_ENDS: frozenset[Verdict] = frozenset({"rollback", "inconsistent"})
"""Verdicts that end a shift."""
_PROMOTED: dict[Verdict, Outcome] = {
    "rollback": "promoted, then found bad",
    "inconsistent": "promoted, then found bad",
    "better": "promoted",
    "good": "promoted",
    "undecided": "promoted undecided",
}


@dataclass(frozen=True)
class Judged:
    """What the periods say."""

    evidence: tuple[float, ...]
    """log10 of the e-value against "the canary is no worse", after each period."""
    verdict: Verdict
    decided_at: datetime | None
    """The end of the period that brought the verdict; None while undecided, and where the counts
    are inconsistent, which no single period shows."""
    incident: bool
    """Whether both versions failed alike, and not the canary alone."""
    requests_needed: int | None
    """Canary requests to expect before a verdict; None where it cannot be said."""
    objective: str
    """The one that speaks most against the canary (for it, where it is better), or in which both
    versions fail."""

    @property
    def ends_the_shift(self) -> bool:
        """Whether the version is condemned, whatever the policies say."""
        return self.verdict in _ENDS

    @property
    def strongest(self) -> float:
        """The most evidence that there was; that of no period at all is nothing."""
        return max(self.evidence, default=-math.inf)


def line(parameters: Parameters) -> float:
    """The evidence at which a canary is rolled back: log10 of 1 / the rate."""
    return -math.log10(parameters.false_rollback_rate)


def judge(
    parameters: Parameters, periods: Sequence[Period], *, inconsistent: bool = False
) -> Judged:
    """Weigh periods in the order in which they were seen.

    Args:
        parameters: the rule.
        periods: the closed periods.
        inconsistent: whether the platform contradicts the service's counts.
    """
    test, reverse = _objectives(parameters), _objectives(parameters)
    evidence = []
    verdict: Verdict = "undecided"
    decided_at = None
    for period in periods:
        test.observe(period.counts)
        reverse.observe({name: (pair.stable, pair.canary) for name, pair in period.counts.items()})
        evidence.append(test.late_evidence)
        now = _verdict(test, reverse)
        if now != verdict:
            verdict = now
            decided_at = period.start + timedelta(seconds=period.seconds)
    if inconsistent and verdict != "rollback":
        verdict, decided_at = "inconsistent", None
    named = reverse if verdict == "better" else test
    worst = max(named.tests, key=lambda name: named.tests[name].late_evidence)
    failing = [name for name in parameters.objectives if _both_fail(parameters, periods, name)]
    incident = bool(failing) and verdict not in _ENDS
    return Judged(
        evidence=tuple(evidence),
        verdict=verdict,
        decided_at=None if verdict == "undecided" else decided_at,
        incident=incident,
        requests_needed=test.requests_needed,
        objective=failing[0] if incident else worst,
    )


def _objectives(parameters: Parameters) -> Objectives:
    return Objectives(
        parameters.objectives,
        false_rollback_rate=parameters.false_rollback_rate,
        tolerance=parameters.tolerance,
        harmful=parameters.harmful,
    )


def _verdict(test: Objectives, reverse: Objectives) -> Verdict:
    """The verdict of a test, and of the same test with the versions exchanged.

    The second has the same error rate, and decides nothing but the word: a release that repairs
    a failing version is not called undecided because its latency says nothing yet.
    """
    if test.verdict != "rollback" and reverse.verdict == "rollback":
        return "better"
    return test.verdict


def _both_fail(parameters: Parameters, periods: Sequence[Period], objective: str) -> bool:
    """Whether the canary failed too, in the periods in which the stable version failed."""
    limit = parameters.limits.get(objective)
    if limit is None:
        return False
    during = [
        pair
        for pair in (period.counts[objective] for period in periods)
        if pair.stable.requests >= parameters.min_requests
        and pair.stable.failures > limit * pair.stable.requests
    ]
    requests = sum(pair.canary.requests for pair in during)
    return sum(pair.canary.failures for pair in during) > limit * requests


def must_stop(parameters: Parameters, judged: Judged, *, over: bool) -> bool:
    """Whether the canary may not be promoted; `over`: its time for a verdict is over."""
    return (
        judged.ends_the_shift
        or (judged.incident and parameters.incident == "stop")
        or (over and judged.verdict == "undecided" and parameters.undecided == "rollback")
    )


def outcome(parameters: Parameters, judged: Judged, ending: Ending) -> Outcome:
    """What came of a release whose deployment ended so."""
    if ending == "in progress":
        return "in progress"
    if ending == "succeeded":
        return _PROMOTED[judged.verdict]
    if judged.ends_the_shift:
        return "rolled back" if judged.verdict == "rollback" else "stopped as inconsistent"
    if judged.incident and parameters.incident == "stop":
        return "stopped in an incident"
    if judged.verdict == "undecided" and parameters.undecided == "rollback":
        return "rolled back undecided"
    return "stopped by another"
