"""What the judge asks of the world, and what it tells it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.judge.statistics.condemnation import Condemnation, Permission
    from pipeline.judge.statistics.judging import Ending


class UnjudgedError(Exception):
    """Something that has to be judged cannot be, now; the message says what and why."""


@dataclass(frozen=True)
class Serving:
    """Whom the alias sends requests to, and what time it is by AWS's own clock."""

    now: datetime
    versions: tuple[str, ...]


@dataclass(frozen=True)
class Deployment:
    """A shift of traffic from one version to another."""

    id: str
    stable: str
    canary: str
    began: datetime | None
    """When the canary got its first share; None before that."""
    ending: Ending
    completed: datetime | None
    """When it ended; None while it runs."""
    reason: str
    """Why it was stopped, in CodeDeploy's words."""


@dataclass(frozen=True)
class Seen:
    """What is known of one version in one minute."""

    requests: int
    """As the service counts them."""
    failures: int
    slow: int
    cold_starts: int
    invocations: int
    """As Lambda counts them."""
    errors: int
    """Invocations that crashed or timed out, which the service cannot count."""
    throttles: int = 0
    """Attempts that Lambda did not let through; they are no invocations."""
    client_errors: int | None = None
    """4xx responses, as the service counts them; None where it does not."""


@dataclass(frozen=True)
class GatewaySeen:
    """What the platform counted of the stage in one minute, of all versions together."""

    requests: int
    integrated: int
    """Requests that it handed on to the function; the rest it answered by itself."""
    client_errors: int
    server_errors: int
    invocations: int
    """Invocations of the alias, as Lambda counts them."""


Minutes = dict[datetime, dict[str, Seen]]
"""By the minute's start and the version; a version without requests may be missing."""


@dataclass(frozen=True)
class Metric:
    """What an alarm looks at; without a version it is the environment's."""

    name: str
    value: float
    version: str | None = None


@dataclass(frozen=True)
class Bake:
    """The watch after all traffic is on the new version."""

    execution: str
    """The execution of CodeDeploy's hook that waits for its end."""
    began: datetime


class Port(Protocol):
    """Every method raises `UnjudgedError` where AWS does not answer, or not wholly."""

    def serving(self) -> Serving:
        """The alias as it is."""
        ...

    def deployment(self, since: datetime) -> Deployment | None:
        """The newest deployment that was created since then, rollbacks left out."""
        ...

    def deployed(self, deployment_id: str) -> Deployment | None:
        """That deployment; None where it is a rollback, which nothing may hold up."""
        ...

    def digest(self, version: str) -> str:
        """The digest of a version's code and configuration."""
        ...

    def condemnation(self, digest: str) -> Condemnation | None:
        """The judge's last word against a version; None where there is none."""
        ...

    def permission(self, digest: str) -> Permission | None:
        """The permission to release a version again; None where there is none."""
        ...

    def condemn(self, condemnation: Condemnation) -> None:
        """Write down that a version is condemned."""
        ...

    def seen(self, versions: Sequence[str], begin: datetime, end: datetime) -> Minutes:
        """What both versions did from one whole minute to another, so far as is known now."""
        ...

    def gateway(self, begin: datetime, end: datetime) -> dict[datetime, GatewaySeen]:
        """What the platform counted of the stage; a minute without requests may be missing."""
        ...

    def record(self, deployment_id: str) -> str | None:
        """The decision record as it was last written; None where there is none."""
        ...

    def keep(self, deployment_id: str, record: str) -> None:
        """Write the decision record."""
        ...

    def bake(self, deployment_id: str) -> Bake | None:
        """The deployment's bake; None where it has not begun."""
        ...

    def keep_bake(self, deployment_id: str, bake: Bake) -> None:
        """Write down that a deployment's bake has begun."""
        ...

    def alarms(self, version: str) -> tuple[str, ...]:
        """The names of a version's alarms that are in ALARM.

        Raises:
            UnjudgedError: an alarm that guards the version does not exist.
        """
        ...

    def publish(self, metrics: Sequence[Metric]) -> None:
        """Publish metrics, all or none."""
        ...

    def answer(self, deployment_id: str, execution: str, *, succeeded: bool) -> None:
        """Tell CodeDeploy how the hook ended that it waits for."""
        ...
