"""The input of the judge: counts of both versions in the same minutes, and the rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pipeline.judge.statistics.counts import Counts

Undecided = Literal["promote", "rollback"]
"""Policy for a canary without a verdict at the end of its shift."""
Incident = Literal["continue", "stop"]
"""Policy for a canary while both versions fail alike."""


Counted = Literal["requests", "4xx responses", "5xx responses"]
"""The counts that both the service and the platform report."""


@dataclass(frozen=True)
class Discrepancy:
    """A count of the service that differs from the platform's by more than is allowed."""

    what: Counted
    version: str | None
    """The version whose invocations Lambda counts; None where API Gateway counts all versions."""
    reported: int
    """The service's count, with the crashes that only Lambda can count."""
    platform: int
    allowed: int
    """The largest allowed difference, in either direction."""


class Pair(NamedTuple):
    """The counts of both versions in the same period."""

    canary: Counts
    stable: Counts


@dataclass(frozen=True)
class Period:
    """A closed period in which both versions served, with its counts."""

    start: datetime
    seconds: int
    counts: Mapping[str, Pair]
    """Counts by objective."""
    cold_starts: tuple[int, int] = (0, 0)
    """Cold starts of the canary and of the stable version; reported, but no evidence."""


@dataclass(frozen=True)
class Parameters:
    """The numbers of the rule, from the environment file."""

    false_rollback_rate: float
    """Largest share of the releases that are no worse than the stable version and rolled back."""
    tolerance: float
    """Odds ratio of bad requests, canary to stable, up to which the canary is no worse."""
    harmful: float
    """Odds ratio from which the canary is harmful."""
    undecided: Undecided
    incident: Incident
    objectives: Mapping[str, float]
    """Share of each objective in the evidence, by name; the sum is 1."""
    limits: Mapping[str, float]
    """Share of bad requests, by objective, above which a version fails; an objective without a
    limit never makes an incident."""
    min_requests: int
    """Fewest requests of the stable version in a period for its share of bad ones to count."""
