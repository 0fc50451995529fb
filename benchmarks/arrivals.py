"""Simulate releases whose metrics arrive late, through an implementation of the judge's port.

Metrics of ten seconds arrive together. The service's metrics arrive through CloudWatch Logs after 2
to 30 seconds, in any order. Lambda and API Gateway send theirs once a minute; those of a crash are
15 seconds later, when the invocation has timed out. Each source can have an additional delay.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from pipeline.judge.arrival import ARRIVAL_BOUND
from pipeline.judge.bake import result
from pipeline.judge.causes import evidence_rate
from pipeline.judge.evaluation import evaluate
from pipeline.judge.port import Bake, Deployment, Metric, Serving, StageCounts, VersionCounts
from pipeline.judge.settings import Settings
from pipeline.judge.shift import Shift
from pipeline.judge.statistics.judging import line
from pipeline.judge.statistics.periods import Parameters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pipeline.judge.arrival import Source
    from pipeline.judge.evaluation import Evaluation
    from pipeline.judge.port import Minutes
    from pipeline.judge.statistics.condemnation import Condemnation, Permission

    Times = NDArray[np.floating]

SOURCES: tuple[Source, ...] = ("the service", "Lambda", "API Gateway")
STABLE, CANARY = "1", "2"
SETTINGS = Settings(
    service="files",
    environment="prod",
    function="files-prod",
    application="application",
    deployment_group="group",
    bucket="decisions",
    api="files-prod",
    shift=Shift(10, 8, linear=False),
    bake_minutes=4,
    parameters=Parameters(
        false_rollback_rate=evidence_rate(0.01),
        tolerance=1.0,
        harmful=2.0,
        undecided="promote",
        incident="continue",
        objectives={"failures": 0.4, "slow-requests": 0.4, "error-responses": 0.2},
        limits={"failures": 0.1, "slow-requests": 0.25},
        min_requests=50,
    ),
    count_tolerance=0.05,
)
_BEGAN = datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC)
_OFFSET = 30
_NOON = _BEGAN - timedelta(seconds=_OFFSET)
DEPLOYMENT = Deployment("d-1", STABLE, CANARY, _BEGAN, "in progress", None, "")
_SLICE_SECONDS, _MINUTE_SECONDS = 10, 60
_MINUTES_BEFORE, _MINUTES_AFTER = 11, 10
"""Simulated minutes before and after the shift."""
_TIMEOUT_SECONDS = 15.0
_SEND_SECONDS = 5.0
"""Time from the dispatch of a metric to its arrival."""
_LOG_DELAY_SECONDS = (2.0, 30.0)
_SCHEDULE_DELAY = timedelta(seconds=5)
"""Time of the evaluation after a whole minute."""
_ALARM_DELAY = timedelta(seconds=90)
"""Time from an evaluation to the end of a deployment that an alarm stops: the alarm and CodeDeploy
each need up to a minute."""
_CALL_DELAY = timedelta(seconds=5)
"""Time from an evaluation to the end of a deployment that the judge stops by a call."""


@dataclass(frozen=True)
class Behaviour:
    """Shares of requests that fail or time out, on the stable version and on the canary."""

    failures: tuple[float, float] = (0.001, 0.001)
    crashes: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Outcome:
    """The outcome of a release."""

    stopped_by: str | None
    """The judge's metric that stopped it, or "bake" for the hook's answer; None if promoted."""
    minutes: float
    """Time from the first share of traffic to the end."""
    hurt: int
    """Bad responses of the canary until then."""
    unjudged: int
    """Comparable minutes that were not judged."""


class SimulatedRelease:
    """`pipeline.judge.port.Port` for a simulated release at the time `now`."""

    def __init__(
        self,
        behaviour: Behaviour,
        late: Mapping[Source, float],
        seed: int,
        requests_per_second: float = 20.0,
        faulty_from: float = 0.0,
    ) -> None:
        """`faulty_from`: minutes of the shift before the fault begins."""
        self.now = _BEGAN
        self.published: list[Metric] = []
        self.condemned: list[Condemnation] = []
        self._records: dict[str, str] = {}
        rng = np.random.default_rng(seed)
        length = int(SETTINGS.shift.length.total_seconds())
        ends = np.arange(
            -_MINUTES_BEFORE * _MINUTE_SECONDS,
            length + _MINUTES_AFTER * _MINUTE_SECONDS,
            _SLICE_SECONDS,
        ) + float(_SLICE_SECONDS)
        shares = np.zeros((len(ends), 2))
        shares[:, 1] = np.where(
            ends > _OFFSET + length, 1.0, np.where(ends > _OFFSET, SETTINGS.shift.percent / 100, 0)
        )
        shares[:, 0] = 1 - shares[:, 1]
        self._ends = ends
        self._minute = ((ends - _SLICE_SECONDS) // _MINUTE_SECONDS).astype(int)
        requests = rng.poisson(requests_per_second * _SLICE_SECONDS * shares)
        faulty = ((ends > _OFFSET + _MINUTE_SECONDS * faulty_from)[:, None]) * [0, 1]
        self._crashes = rng.binomial(requests, np.choose(faulty, _shares(behaviour.crashes)))
        self._counted = requests - self._crashes
        self._failures = rng.binomial(self._counted, np.choose(faulty, _shares(behaviour.failures)))
        lambda_, gateway = rng.uniform(0, _MINUTE_SECONDS, 2)
        self._logged = (
            ends + rng.uniform(*_LOG_DELAY_SECONDS, len(ends)) + late.get("the service", 0.0)
        )
        self._sent, self._sent_crashes = (
            _dispatched(ends + took, lambda_) + late.get("Lambda", 0.0)
            for took in (0.0, _TIMEOUT_SECONDS)
        )
        self._answered, self._answered_crashes = (
            _dispatched(ends + took, gateway) + late.get("API Gateway", 0.0)
            for took in (0.0, _TIMEOUT_SECONDS)
        )

    def hurt(self, until: datetime) -> int:
        """Return the canary's bad responses up to a time."""
        served = self._ends <= (until - _NOON).total_seconds()
        return int((self._failures + self._crashes)[served, 1].sum())

    def serving(self) -> Serving:
        """See `Port`."""
        return Serving(self.now, (STABLE, CANARY))

    def newest_deployment(self, since: datetime) -> Deployment | None:  # noqa: ARG002  # the port's
        """See `Port`."""
        return DEPLOYMENT

    def deployment(self, deployment_id: str) -> Deployment | None:  # noqa: ARG002  # the port's
        """See `Port`."""
        return DEPLOYMENT

    def digest(self, version: str) -> str:
        """See `Port`."""
        return version

    def condemnation(self, digest: str) -> Condemnation | None:  # noqa: ARG002  # the port's
        """See `Port`."""
        return None

    def permission(self, digest: str) -> Permission | None:  # noqa: ARG002  # the port's
        """See `Port`."""
        return None

    def condemn(self, condemnation: Condemnation) -> None:
        """See `Port`."""
        self.condemned.append(condemnation)

    def version_counts(self, versions: Sequence[str], begin: datetime, end: datetime) -> Minutes:
        """See `Port`."""
        service, sent, crashed = (
            self._arrived(at, begin, end) for at in (self._logged, self._sent, self._sent_crashes)
        )
        found: Minutes = {}
        for minute in sorted({*self._minute[service | sent | crashed].tolist()}):
            mine = self._minute == minute
            requests, failures = (
                each[mine & service].sum(axis=0) for each in (self._counted, self._failures)
            )
            errors = self._crashes[mine & crashed].sum(axis=0)
            invocations = self._counted[mine & sent].sum(axis=0) + errors
            found[_NOON + timedelta(minutes=minute)] = {
                version: VersionCounts(
                    int(requests[number]), int(failures[number]), 0, 0,
                    int(invocations[number]), int(errors[number]), 0, 0,
                )
                for number, version in enumerate((STABLE, CANARY))
                if version in versions
            }  # fmt: skip
        return found

    def stage_counts(self, begin: datetime, end: datetime) -> dict[datetime, StageCounts]:
        """See `Port`."""
        answered, crashed, sent = (
            self._arrived(at, begin, end)
            for at in (self._answered, self._answered_crashes, self._sent)
        )
        found = {}
        for minute in sorted({*self._minute[answered | crashed].tolist()}):
            mine = self._minute == minute
            errors = int(self._crashes[mine & crashed].sum())
            requests = int(self._counted[mine & answered].sum()) + errors
            failures = int(self._failures[mine & answered].sum()) + errors
            invocations = int(self._counted[mine & sent].sum())
            at = _NOON + timedelta(minutes=minute)
            found[at] = StageCounts(requests, requests, 0, failures, invocations)
        return found

    def read_record(self, deployment_id: str) -> str | None:
        """See `Port`."""
        return self._records.get(deployment_id)

    def write_record(self, deployment_id: str, record: str) -> None:
        """See `Port`."""
        self._records[deployment_id] = record

    def read_bake(self, deployment_id: str) -> Bake | None:  # noqa: ARG002  # the port's
        """See `Port`."""
        return Bake("execution", _BEGAN + SETTINGS.shift.length)

    def write_bake(self, deployment_id: str, bake: Bake) -> None:
        """See `Port`."""

    def alarms(self, version: str) -> tuple[str, ...]:  # noqa: ARG002  # the port's
        """See `Port`. `play` checks the metrics instead."""
        return ()

    def publish(self, metrics: Sequence[Metric]) -> None:
        """See `Port`."""
        self.published = list(metrics)

    def answer_hook(self, deployment_id: str, execution: str, *, succeeded: bool) -> None:
        """See `Port`."""

    def stop(self, deployment_id: str) -> None:
        """See `Port`. `play` ends the release instead."""

    def _arrived(self, at: Times, begin: datetime, end: datetime) -> NDArray[np.bool_]:
        first, last = ((each - _NOON) // timedelta(minutes=1) for each in (begin, end))
        now = (self.now - _NOON).total_seconds()
        found: NDArray[np.bool_] = (at <= now) & (self._minute >= first) & (self._minute < last)
        return found


def _shares(of: tuple[float, float]) -> list[NDArray[np.floating]]:
    """Return the shares of both versions before and after the fault begins."""
    return [np.array([of[0], of[0]]), np.array(of)]


def _dispatched(at: Times, phase: float) -> Times:
    """Return the arrival times of metrics that are sent once a minute."""
    found: Times = np.ceil((at - phase) / _MINUTE_SECONDS) * _MINUTE_SECONDS + phase + _SEND_SECONDS
    return found


def play(release: SimulatedRelease, settings: Settings = SETTINGS) -> Outcome:
    """Simulate a release to its end, with an evaluation in each minute of shift and bake."""
    limits = {
        "Evidence": line(settings.parameters), "Testimony": 1.0, "Undecided": 1.0,
        "Incident": 1.0, "Blind": ARRIVAL_BOUND / timedelta(minutes=1),
    }  # fmt: skip
    release.now = _NOON + timedelta(minutes=1) + _SCHEDULE_DELAY
    while True:
        seen = evaluate(release, settings)
        baked = result(release, settings, seen)
        if baked:
            return _ended(release, seen, None if baked.succeeded else "bake", release.now)
        stopped_by = next(
            (
                each.name
                for each in release.published
                if each.value >= limits.get(each.name, np.inf)
            ),
            None,
        )
        if stopped_by:
            delay = _CALL_DELAY if seen.stops else _ALARM_DELAY
            return _ended(release, seen, stopped_by, release.now + delay)
        release.now += timedelta(minutes=1)


def _ended(
    release: SimulatedRelease, seen: Evaluation, stopped_by: str | None, at: datetime
) -> Outcome:
    judged = len(seen.record.periods) if seen.record else 0
    comparable = SETTINGS.shift.minutes - 1
    minutes = (at - _BEGAN) / timedelta(minutes=1)
    return Outcome(stopped_by, minutes, release.hurt(at), comparable - judged)
