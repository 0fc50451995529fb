"""Judge the closed periods of a canary; pure functions without a clock and without AWS."""

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
"""In the order of precedence. "inconsistent": the service's counts cannot be trusted, so no
conclusion is drawn from them. "better": the stable version is worse than the canary."""
Ending = Literal["in progress", "succeeded", "stopped"]
"""The state of CodeDeploy's deployment."""
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
"""The outcome of a release. A canary is "promoted, then found bad" if counts that arrived after the
bake condemned it."""
CONDEMNING: frozenset[Verdict] = frozenset({"rollback", "inconsistent"})
"""Verdicts that end a shift, and by which a version stays condemned."""
_OUTCOME_IF_PROMOTED: dict[Verdict, Outcome] = {
    "rollback": "promoted, then found bad",
    "inconsistent": "promoted, then found bad",
    "better": "promoted",
    "good": "promoted",
    "undecided": "promoted undecided",
}


@dataclass(frozen=True)
class Judged:
    """The result of judging periods."""

    evidence: tuple[float, ...]
    """log10 of the e-value against "the canary is no worse", after each period."""
    verdict: Verdict
    decided_at: datetime | None
    """End of the period that brought the verdict; None while undecided, and if the counts are
    inconsistent, which no single period shows."""
    incident: bool
    """Whether both versions failed alike, and not the canary alone."""
    requests_needed: int | None
    """Expected number of canary requests before a verdict; None if it is unknown."""
    objective: str
    """The objective with the most evidence against the canary (for it, if it is better), or the one
    in which both versions fail."""

    @property
    def ends_the_shift(self) -> bool:
        """Return whether the version is condemned, whatever the policies are."""
        return self.verdict in CONDEMNING

    @property
    def strongest(self) -> float:
        """Return the highest evidence after any period; -inf if there is no period."""
        return max(self.evidence, default=-math.inf)


def line(parameters: Parameters) -> float:
    """Return the evidence at which a canary is rolled back: log10(1 / false_rollback_rate)."""
    return -math.log10(parameters.false_rollback_rate)


def judge(
    parameters: Parameters, periods: Sequence[Period], *, inconsistent: bool = False
) -> Judged:
    """Judge periods.

    Args:
        parameters: the rule.
        periods: the closed periods in the order in which they were read.
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
    incident = bool(failing) and verdict not in CONDEMNING
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
    """Return the verdict of a test and of the same test with the versions exchanged.

    The exchanged test has the same error rate. It only turns "good" or "undecided" into "better",
    so that a release that repairs a failing version does not stay undecided because one of the
    objectives has little evidence.
    """
    if test.verdict != "rollback" and reverse.verdict == "rollback":
        return "better"
    return test.verdict


def _both_fail(parameters: Parameters, periods: Sequence[Period], objective: str) -> bool:
    """Return whether the canary failed in the periods in which the stable version failed."""
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
    """Return whether the canary must not be promoted; `over`: its time for a verdict is over."""
    return (
        judged.ends_the_shift
        or (judged.incident and parameters.incident == "stop")
        or (over and judged.verdict == "undecided" and parameters.undecided == "rollback")
    )


def outcome(parameters: Parameters, judged: Judged, ending: Ending) -> Outcome:
    """Return the outcome of a release from its judgement and the end of its deployment."""
    if ending == "in progress":
        return "in progress"
    if ending == "succeeded":
        return _OUTCOME_IF_PROMOTED[judged.verdict]
    if judged.ends_the_shift:
        return "rolled back" if judged.verdict == "rollback" else "stopped as inconsistent"
    if judged.incident and parameters.incident == "stop":
        return "stopped in an incident"
    if judged.verdict == "undecided" and parameters.undecided == "rollback":
        return "rolled back undecided"
    return "stopped by another"
