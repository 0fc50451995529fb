"""The judge's port: what it reads from AWS and writes to AWS."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.judge.statistics.condemnation import Condemnation, Permission
    from pipeline.judge.statistics.judging import Ending


class EvaluationError(Exception):
    """An evaluation failed; the message says what could not be read or written, and why."""


@dataclass(frozen=True)
class Serving:
    """The versions that the alias serves, and the time by AWS's clock."""

    now: datetime
    versions: tuple[str, ...]


@dataclass(frozen=True)
class Deployment:
    """A shift of traffic from one version to another."""

    id: str
    stable: str
    canary: str
    began: datetime | None
    """Time of the first step; None before it."""
    ending: Ending
    completed: datetime | None
    """Time of its end; None while it is in progress."""
    reason: str
    """CodeDeploy's reason for a stop."""


@dataclass(frozen=True)
class VersionCounts:
    """The counts of one version in one minute."""

    requests: int
    """Reported by the service."""
    failures: int
    slow: int
    cold_starts: int
    invocations: int
    """Counted by Lambda."""
    errors: int
    """Invocations that crashed or timed out; the service cannot count them."""
    throttles: int = 0
    """Requests that Lambda rejected; they are no invocations."""
    client_errors: int | None = None
    """4xx responses, reported by the service; None if it does not count them."""
    warm_ups: int | None = None
    """First requests of sandboxes, cold starts included; None if the service counts only those."""


@dataclass(frozen=True)
class StageCounts:
    """The platform's counts of the API's stage in one minute, over all versions."""

    requests: int
    integrated: int
    """Requests that API Gateway passed to the function; it answered the others itself."""
    client_errors: int
    server_errors: int
    invocations: int
    """Invocations of the alias, counted by Lambda."""


Minutes = dict[datetime, dict[str, VersionCounts]]
"""Counts by the minute's start and the version; a version without requests may be missing."""


@dataclass(frozen=True)
class Metric:
    """A value that an alarm reads; without a version, it is the environment's."""

    name: str
    value: float
    version: str | None = None


@dataclass(frozen=True)
class Bake:
    """The watch after all traffic has moved to the new version."""

    execution: str
    """Id of the execution of CodeDeploy's hook that waits for its end."""
    began: datetime


class Port(Protocol):
    """Every method raises `EvaluationError` if AWS does not answer, or answers incompletely."""

    def serving(self) -> Serving:
        """Return the versions that the alias serves now."""
        ...

    def newest_deployment(self, since: datetime) -> Deployment | None:
        """Return the newest deployment created since then that is no rollback."""
        ...

    def deployment(self, deployment_id: str) -> Deployment | None:
        """Return a deployment; None if it is a rollback, which the judge must not delay."""
        ...

    def digest(self, version: str) -> str:
        """Return the digest of a version's code and configuration."""
        ...

    def condemnation(self, digest: str) -> Condemnation | None:
        """Return the newest condemnation of a version; None if there is none."""
        ...

    def permission(self, digest: str) -> Permission | None:
        """Return the permission to release a version again; None if there is none."""
        ...

    def condemn(self, condemnation: Condemnation) -> None:
        """Write a condemnation."""
        ...

    def version_counts(self, versions: Sequence[str], begin: datetime, end: datetime) -> Minutes:
        """Return the counts of versions that have arrived, from `begin` up to `end`."""
        ...

    def stage_counts(self, begin: datetime, end: datetime) -> dict[datetime, StageCounts]:
        """Return the counts of the stage by minute; one without requests may be missing."""
        ...

    def read_record(self, deployment_id: str) -> str | None:
        """Return the text of the decision record; None if there is none."""
        ...

    def write_record(self, deployment_id: str, record: str) -> None:
        """Write the text of the decision record."""
        ...

    def read_bake(self, deployment_id: str) -> Bake | None:
        """Return the bake of a deployment; None if it has not begun."""
        ...

    def write_bake(self, deployment_id: str, bake: Bake) -> None:
        """Write the bake of a deployment."""
        ...

    def alarms(self, version: str) -> tuple[str, ...]:
        """Return the names of a version's alarms that are in ALARM.

        Raises:
            EvaluationError: one of the version's alarms does not exist.
        """
        ...

    def publish(self, metrics: Sequence[Metric]) -> None:
        """Publish all metrics in one request."""
        ...

    def answer_hook(self, deployment_id: str, execution: str, *, succeeded: bool) -> None:
        """Send CodeDeploy the result of a hook."""
        ...

    def stop(self, deployment_id: str) -> None:
        """Stop a deployment, and move all traffic back; one that has ended stays as it is."""
        ...
