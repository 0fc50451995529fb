"""Forecast what an environment's canary detects, and warn if that is little."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from environments.limits import MAX_STEP_MINUTES
from environments.schema import AllAtOnce
from pipeline.judge.arrival import SETTLED
from pipeline.judge.shift import MINUTE, Shift, comparable
from pipeline.planning import policy
from pipeline.planning.power import Canary, Power

if TYPE_CHECKING:
    from environments.schema import Environment

OBJECTIVE = "failures"
"""The forecast objective; environment files do not say how many requests are slow."""
REACTION_MINUTES = (SETTLED + 0.5 * MINUTE) / MINUTE
"""Mean minutes from the end of the condemning minute to the rollback.

Its metrics settle, and the judge, which runs once a minute, stops the deployment.
"""
_BEGIN = datetime(2000, 1, 1, 0, 0, 30, tzinfo=UTC)  # mid-minute, the mean of real shifts
_FACTOR, _MIN_POWER = 10, 0.5  # a canary that detects less is not worth its wait


@dataclass(frozen=True)
class Traffic:
    """The traffic of an environment during a canary."""

    requests_per_second: float
    failure_share: float
    """Share of the stable version's requests that fail; 0 to 1."""


@dataclass(frozen=True)
class Forecast:
    """What an environment's canary detects at a given traffic."""

    shift: Shift
    traffic: Traffic
    power: Power

    @property
    def canary(self) -> Canary:
        """The canary as input of `Power`."""
        judged = list(comparable(self.shift, _BEGIN, _BEGIN + self.shift.length))
        step = timedelta(minutes=self.shift.minutes)
        return Canary(
            requests_per_second=self.traffic.requests_per_second,
            failure_share=self.traffic.failure_share,
            shares=tuple(
                self.shift.percent / 100 * ((each - _BEGIN) // step + 1) for each in judged
            ),
            ends=tuple((each + MINUTE - _BEGIN) / MINUTE for each in judged),
            reaction=REACTION_MINUTES,
        )

    def with_minutes(self, minutes: int) -> Forecast:
        """Return the same forecast with a step of another length."""
        return replace(self, shift=replace(self.shift, minutes=minutes))

    def minutes_for(self, bad: float, certainty: float) -> int | None:
        """Return the shortest step in which a given failure rate is detected.

        Args:
            bad: the share of the canary's requests that fails.
            certainty: the required probability of detection.

        Returns:
            Minutes, or None if `MAX_STEP_MINUTES` is not enough.
        """
        suffices = self.power.suffices(self.canary, bad, certainty)
        if not suffices(self.with_minutes(MAX_STEP_MINUTES).canary):
            return None
        low, high = 1, MAX_STEP_MINUTES  # a step of one minute has no minute to compare
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (
                (low, middle) if suffices(self.with_minutes(middle).canary) else (middle, high)
            )
        return high


def forecast(environment: Environment, traffic: Traffic | None = None) -> Forecast | None:
    """Return the forecast, or None without a canary.

    The default traffic is what the environment's file expects.
    """
    judge = environment.judge
    if judge is None or isinstance(environment.shift, AllAtOnce):
        return None
    shift = policy.shift(environment)
    return Forecast(
        shift,
        traffic or Traffic(judge.requests_per_second, judge.failure_share),
        Power(policy.parameters(environment, judge), OBJECTIVE, shift.percent / 100),
    )


def warning(name: str, environment: Environment) -> str | None:
    """Return a warning about a canary that is too short to detect anything, or None."""
    made = forecast(environment)
    if made is None:
        return None
    bad = min(1.0, _FACTOR * made.traffic.failure_share)
    found = made.power.prospect(made.canary, bad).found
    if found >= _MIN_POWER:
        return None
    enough = made.minutes_for(bad, _MIN_POWER)
    advice = (
        f"with {enough} minutes it would find {_MIN_POWER:.0%}"
        if enough
        else f"no number of minutes up to {MAX_STEP_MINUTES} would find {_MIN_POWER:.0%}: "
        "raise percent"
    )
    return (
        f"environments/{name}.toml: shift.minutes: found {made.shift.minutes}; at "
        f"{made.traffic.requests_per_second:g} requests a second, {made.traffic.failure_share:.2g} "
        f"of which fail, this canary finds {found:.0%} of versions that fail {_FACTOR} times as "
        f"often, and {advice}; see pithead judge plan {name}"
    )
