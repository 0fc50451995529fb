"""Backtest of a policy on past releases: verdicts, times and bad requests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from console.errors import ConsoleError
from console.judge.course import end
from console.judge.replay import cannot_be_judged
from pipeline.judge.statistics.judging import judge

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from pipeline.judge.statistics.judging import Verdict
    from pipeline.judge.statistics.periods import Parameters, Period
    from pipeline.judge.statistics.record import Record


@dataclass(frozen=True)
class Policy:
    """Changes to the recorded parameters; None keeps the recorded value."""

    false_rollback_rate: float | None = None
    tolerance: float | None = None
    objectives: Mapping[str, float] | None = None
    """Share of the evidence by objective, with a sum of 1."""
    minutes: int | None = None
    """Number of minutes, from the begin of the shift, in which a verdict may fall."""

    def parameters(self, record: Record) -> Parameters:
        """Return the parameters of a release, with this policy's changes.

        Raises:
            ConsoleError: the release has no such objective.
        """
        counted = record.parameters.objectives
        for name in self.objectives or ():
            if name not in counted:
                raise ConsoleError(
                    f"objective: found {name!r}, which {record.deployment_id} does not count; "
                    f"allowed are {', '.join(counted)}"
                )
        names = ("false_rollback_rate", "tolerance", "objectives")
        wanted: dict[str, Any] = {name: getattr(self, name) for name in names}
        changed = {name: value for name, value in wanted.items() if value is not None}
        return replace(record.parameters, **changed)


@dataclass(frozen=True)
class Decision:
    """The decision on a release, real or hypothetical, and its cost."""

    verdict: Verdict
    at: datetime | None
    """The end of the minute that brought the verdict; None while undecided."""
    bad: int
    """Bad responses of the canary until its condemnation or the end of the record.

    They are summed over objectives: a request that failed slowly counts twice.
    """


@dataclass(frozen=True)
class Release:
    """A past release: what happened, and what the policy would have done."""

    record: Record
    happened: Decision
    policy: Decision

    @property
    def open(self) -> bool:
        """Whether the record ends before the policy has a verdict, with the release."""
        return self.happened.verdict == "rollback" and self.policy.verdict != "rollback"

    @property
    def minutes(self) -> tuple[float | None, float | None]:
        """Minutes from the begin of the shift to the real and the hypothetical verdict."""
        return self._after(self.happened.at), self._after(self.policy.at)

    def _after(self, at: datetime | None) -> float | None:
        return None if at is None else (at - self.record.began) / timedelta(minutes=1)


def backtest(policy: Policy, record: Record) -> Release:
    """Apply a policy to a past release.

    Raises:
        ConsoleError: see `Policy.parameters`; or the policy or the record cannot be judged.
    """
    parameters = policy.parameters(record)
    last = None if policy.minutes is None else record.began + timedelta(minutes=policy.minutes)
    periods = [
        replace(each, counts={name: each.counts[name] for name in parameters.objectives})
        for each in record.periods
        if last is None or end(each) <= last
    ]
    with cannot_be_judged(record):
        judged = judge(parameters, periods, inconsistent=bool(record.discrepancies))
    return Release(
        record,
        _decision(record, record.verdict, record.decided_at),
        _decision(record, judged.verdict, judged.decided_at),
    )


def _decision(record: Record, verdict: Verdict, at: datetime | None) -> Decision:
    condemned = at if verdict == "rollback" else None
    return Decision(
        verdict,
        at,
        _bad(each for each in record.periods if not condemned or end(each) <= condemned),
    )


def _bad(periods: Iterable[Period]) -> int:
    return sum(pair.canary.failures for each in periods for pair in each.counts.values())


def document(policy: Policy, releases: Iterable[Release]) -> dict[str, Any]:
    """Return policy and releases as a JSON document.

    ```json
    {"schema": 1,
     "policy": {"false_rollback_rate": 0.001, "tolerance": null, "objectives": null,
                "minutes": null},
     "releases": [
       {"deployment_id": "d-…", "service": "orders", "environment": "prod", "version": "3",
        "began": "…+00:00", "outcome": "rolled back",
        "happened": {"verdict": "rollback", "minutes": 2.5, "bad": 7},
        "policy": {"verdict": "rollback", "minutes": 3.5, "bad": 12}, "open": false}]}
    ```

    `minutes` are from the begin of the shift to the end of the minute that brought the verdict,
    null while undecided. `bad` and `open` are those of `Decision` and `Release`.
    """
    return {"schema": 1, "policy": vars(policy), "releases": [_document(each) for each in releases]}


def _document(release: Release) -> dict[str, Any]:
    record = release.record
    was, now = (
        {"verdict": each.verdict, "minutes": minutes, "bad": each.bad}
        for each, minutes in zip((release.happened, release.policy), release.minutes, strict=True)
    )
    return {
        "deployment_id": record.deployment_id,
        "service": record.service,
        "environment": record.environment,
        "version": record.canary,
        "began": record.began.isoformat(),
        "outcome": record.outcome,
        "happened": was,
        "policy": now,
        "open": release.open,
    }
