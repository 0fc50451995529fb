from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pipeline.judge.port import (
    Bake,
    Deployment,
    EvaluationError,
    Metric,
    Serving,
    StageCounts,
    VersionCounts,
)
from pipeline.judge.settings import Settings
from pipeline.judge.shift import Shift
from pipeline.judge.statistics.periods import Parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.judge.port import Minutes
    from pipeline.judge.statistics.condemnation import Condemnation, Permission

NOON = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
BEGAN = NOON + timedelta(seconds=30)
MINUTES = 10
SETTINGS = Settings(
    service="files",
    environment="prod",
    function="files-prod",
    application="application",
    deployment_group="group",
    bucket="decisions",
    api="files-prod",
    count_tolerance=0.05,
    shift=Shift(10, MINUTES, linear=False),
    bake_minutes=4,
    parameters=Parameters(
        false_rollback_rate=0.01,
        tolerance=1.0,
        harmful=2.0,
        undecided="promote",
        incident="continue",
        objectives={"failures": 0.5, "slow-requests": 0.5},
        limits={"failures": 0.05, "slow-requests": 0.2},
        min_requests=50,
    ),
)


@dataclass
class FakeWorld:
    """A fake `Port` that a test fills: versions 2 and 3, by the minute after noon."""

    now: datetime = NOON
    versions: tuple[str, ...] = ("2", "3")
    deployment_: Deployment | None = field(
        default_factory=lambda: Deployment("d-1", "2", "3", BEGAN, "in progress", None, "")
    )
    others: dict[str, Deployment] = field(default_factory=dict)
    """Older deployments."""
    minutes: dict[int, dict[str, VersionCounts]] = field(default_factory=dict)
    answered_by_gateway: dict[int, StageCounts] = field(default_factory=dict)
    """The gateway's counts where they differ from the versions'."""
    digests: dict[str, str] = field(default_factory=lambda: {"2": "sha256:two", "3": "sha256:3"})
    condemned: dict[str, Condemnation] = field(default_factory=dict)
    permitted: dict[str, Permission] = field(default_factory=dict)
    rollbacks: set[str] = field(default_factory=set)
    records: dict[str, str] = field(default_factory=dict)
    bakes: dict[str, Bake] = field(default_factory=dict)
    red: tuple[str, ...] = ()
    published: list[list[Metric]] = field(default_factory=list)
    answered: list[tuple[str, str, bool]] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)
    asked: list[tuple[datetime, datetime]] = field(default_factory=list)

    def serving(self) -> Serving:
        self._may("serving")
        return Serving(self.now, self.versions)

    def newest_deployment(self, since: datetime) -> Deployment | None:
        self._may("newest_deployment")
        assert since <= self.now - SETTINGS.shift.length
        return self.deployment_

    def deployment(self, deployment_id: str) -> Deployment | None:
        self._may("deployment")
        if deployment_id in self.rollbacks:
            return None
        return self.others.get(deployment_id, self.deployment_)

    def digest(self, version: str) -> str:
        self._may("digest")
        return self.digests[version]

    def condemnation(self, digest: str) -> Condemnation | None:
        self._may("condemnation")
        return self.condemned.get(digest)

    def permission(self, digest: str) -> Permission | None:
        self._may("permission")
        return self.permitted.get(digest)

    def condemn(self, condemnation: Condemnation) -> None:
        self._may("condemn")
        self.condemned[condemnation.version_digest] = condemnation

    def stage_counts(self, begin: datetime, end: datetime) -> dict[datetime, StageCounts]:
        self._may("stage_counts")
        honest = {minute: _answered(both) for minute, both in self.minutes.items()}
        stage = honest | self.answered_by_gateway
        every = {self.after(minute): each for minute, each in stage.items()}
        return {at: each for at, each in every.items() if begin <= at < end}

    def version_counts(self, versions: Sequence[str], begin: datetime, end: datetime) -> Minutes:
        self._may("version_counts")
        assert set(versions) == {"2", "3"}
        self.asked.append((begin, end))
        every = {self.after(minute): both for minute, both in self.minutes.items()}
        return {at: dict(both) for at, both in every.items() if begin <= at < end}

    def read_record(self, deployment_id: str) -> str | None:
        self._may("read_record")
        return self.records.get(deployment_id)

    def write_record(self, deployment_id: str, record: str) -> None:
        self._may("write_record")
        self.records[deployment_id] = record

    def read_bake(self, deployment_id: str) -> Bake | None:
        self._may("read_bake")
        return self.bakes.get(deployment_id)

    def write_bake(self, deployment_id: str, bake: Bake) -> None:
        self._may("write_bake")
        self.bakes[deployment_id] = bake

    def alarms(self, version: str) -> tuple[str, ...]:
        self._may("alarms")
        assert version == "3"
        return self.red

    def publish(self, metrics: Sequence[Metric]) -> None:
        self._may("publish")
        self.published.append(list(metrics))

    def answer_hook(self, deployment_id: str, execution: str, *, succeeded: bool) -> None:
        self._may("answer_hook")
        self.answered.append((deployment_id, execution, succeeded))

    def stop(self, deployment_id: str) -> None:
        self._may("stop")
        self.stopped.append(deployment_id)

    def after(self, minutes: float) -> datetime:
        """Return a time, in minutes after noon."""
        return NOON + timedelta(minutes=minutes)

    def fill(
        self,
        canary: tuple[int, int] | VersionCounts,
        stable: tuple[int, int] | VersionCounts,
        minutes: range = range(MINUTES + 2),
    ) -> None:
        """Set the same counts in every minute: requests and failures, completely reported."""
        both = {"2": stable, "3": canary}
        seen = {
            version: each
            if isinstance(each, VersionCounts)
            else VersionCounts(*each, 0, 0, each[0], 0)
            for version, each in both.items()
        }
        self.minutes |= dict.fromkeys(minutes, seen)

    def end(self, ending: str, minutes: float, reason: str = "") -> None:
        """End the deployment this many minutes after noon."""
        assert self.deployment_ is not None
        self.versions = ("3",) if ending == "succeeded" else ("2",)
        self.deployment_ = replace(
            self.deployment_,
            ending=ending,  # type: ignore[arg-type]  # one of three words
            completed=self.after(minutes),
            reason=reason,
        )

    def published_values(self, name: str) -> list[float]:
        """Return the values of a metric, one for each evaluation that published it."""
        return [each.value for look in self.published for each in look if each.name == name]

    def _may(self, what: str) -> None:
        if what in self.failing:
            raise EvaluationError(f"{what} did not answer")


def _answered(both: dict[str, VersionCounts]) -> StageCounts:
    """Return the gateway's counts of honestly reported requests."""
    seen = both.values()
    invocations = sum(each.invocations for each in seen)
    return StageCounts(
        invocations,
        invocations,
        sum(each.client_errors or 0 for each in seen),
        sum(each.failures + each.errors for each in seen),
        invocations,
    )


@pytest.fixture
def worlds() -> type[FakeWorld]:
    """Return a maker of releases in their first minute."""
    return FakeWorld


@pytest.fixture
def world() -> FakeWorld:
    """A release in its first minute."""
    return FakeWorld()


@pytest.fixture
def judge() -> Callable[..., Settings]:
    """Return a maker of the judge's settings with the given policies."""

    def make(**policies: str) -> Settings:
        parameters = replace(SETTINGS.parameters, **policies)  # type: ignore[arg-type]  # words
        return replace(SETTINGS, parameters=parameters)

    return make
