"""What the judge asks of the world, and what it tells it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.canary.judging import Ending


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


Minutes = dict[datetime, dict[str, Seen]]
"""By the minute's start and the version; a version without requests may be missing."""


@dataclass(frozen=True)
class Metric:
    """What an alarm looks at; without a version it is the environment's."""

    name: str
    value: float
    version: str | None = None


class Port(Protocol):
    """Every method raises `UnjudgedError` where AWS does not answer, or not wholly."""

    def serving(self) -> Serving:
        """The alias as it is."""
        ...

    def deployment(self, since: datetime) -> Deployment | None:
        """The newest deployment that was created since then, rollbacks left out."""
        ...

    def seen(self, versions: Sequence[str], begin: datetime, end: datetime) -> Minutes:
        """What both versions did from one whole minute to another, so far as is known now."""
        ...

    def record(self, deployment_id: str) -> str | None:
        """The decision record as it was last written; None where there is none."""
        ...

    def keep(self, deployment_id: str, record: str) -> None:
        """Write the decision record."""
        ...

    def publish(self, metrics: Sequence[Metric]) -> None:
        """Publish metrics, all or none."""
        ...

    def answer(self, deployment_id: str, execution: str, *, succeeded: bool) -> None:
        """Tell CodeDeploy how the hook ended that it waits for."""
        ...
