"""What a canary is judged by: counts of both versions in the same minutes, a rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pipeline.judge.statistics.counts import Counts

Undecided = Literal["promote", "rollback"]
"""What becomes of a canary that is neither good nor bad when its time is over."""
Incident = Literal["continue", "stop"]
"""What becomes of a canary while both versions fail alike."""


Counted = Literal["requests", "4xx responses", "5xx responses"]
"""What both the service and the platform count."""


@dataclass(frozen=True)
class Discrepancy:
    """A count of the service that the platform contradicts, beyond what is allowed."""

    what: Counted
    version: str | None
    """The version whose invocations Lambda counts; None where API Gateway counts all versions."""
    reported: int
    """By the service, crashes that Lambda alone can see included."""
    platform: int
    allowed: int
    """The largest difference, in either direction, that an honest service may have."""


class Pair(NamedTuple):
    """Requests of both versions in the same period."""

    canary: Counts
    stable: Counts


@dataclass(frozen=True)
class Period:
    """A closed time in which both versions served, and what was seen in it."""

    start: datetime
    seconds: int
    counts: Mapping[str, Pair]
    """By objective; of each request every objective counts, or leaves out, both versions alike."""
    cold_starts: tuple[int, int] = (0, 0)
    """Of the canary and of the stable version; told, and never held against either."""


@dataclass(frozen=True)
class Parameters:
    """The numbers of the rule, as the environment file has them."""

    false_rollback_rate: float
    """Of releases that are no worse than the stable version, the most that are rolled back."""
    tolerance: float
    """The odds ratio of bad requests, canary to stable, up to which it is no worse."""
    harmful: float
    """The odds ratio from which a canary is not good."""
    undecided: Undecided
    incident: Incident
    objectives: Mapping[str, float]
    """The share of the evidence that each objective has, by name; together 1."""
    limits: Mapping[str, float]
    """The share of bad requests, by objective, above which a version fails; an objective without
    one never makes an incident."""
    min_requests: int
    """Requests of the stable version in a period below which its share says nothing."""
