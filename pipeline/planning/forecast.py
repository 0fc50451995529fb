"""What the canary in an environment's file will find, and a warning where that is little."""

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
"""What is forecast: of slow requests no environment file says how many are usual."""
REACTION = (SETTLED + 1.5 * MINUTE) / MINUTE
"""Minutes from the end of the minute that condemns a canary to its rollback, on average: its
metrics settle, then schedule, alarm and CodeDeploy each look once a minute."""
_BEGIN = datetime(2000, 1, 1, 0, 0, 30, tzinfo=UTC)  # amid a minute, as a shift does on average
_TIMES, _LIKELY = 10, 0.5  # a canary that finds less is not worth its wait


@dataclass(frozen=True)
class Traffic:
    """What an environment serves while a canary runs."""

    requests_per_second: float
    failure_share: float
    """Of the version that serves now; 0 to 1."""


@dataclass(frozen=True)
class Forecast:
    """What the canary of an environment finds in a traffic."""

    shift: Shift
    traffic: Traffic
    power: Power

    @property
    def canary(self) -> Canary:
        """The canary as `Power` wants it."""
        judged = list(comparable(self.shift, _BEGIN, _BEGIN + self.shift.length))
        step = timedelta(minutes=self.shift.minutes)
        return Canary(
            requests_per_second=self.traffic.requests_per_second,
            failure_share=self.traffic.failure_share,
            shares=tuple(
                self.shift.percent / 100 * ((each - _BEGIN) // step + 1) for each in judged
            ),
            ends=tuple((each + MINUTE - _BEGIN) / MINUTE for each in judged),
            reaction=REACTION,
        )

    def lasting(self, minutes: int) -> Forecast:
        """The same with a step of another length."""
        return replace(self, shift=replace(self.shift, minutes=minutes))

    def minutes_for(self, bad: float, certainty: float) -> int | None:
        """The least minutes of a step with which a canary that fails so often is found.

        Args:
            bad: the share of the canary's requests that fails.
            certainty: the probability with which it is to be found.

        Returns:
            None where `MAX_STEP_MINUTES` would not do.
        """
        suffices = self.power.suffices(self.canary, bad, certainty)
        if not suffices(self.lasting(MAX_STEP_MINUTES).canary):
            return None
        low, high = 1, MAX_STEP_MINUTES  # in a step of one minute nothing can be compared
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if suffices(self.lasting(middle).canary) else (middle, high)
        return high


def forecast(environment: Environment, traffic: Traffic | None = None) -> Forecast | None:
    """By default in the traffic that the environment's file expects; None without a canary."""
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
    """What to say of a canary that is too short to find anything; None where it is not."""
    made = forecast(environment)
    if made is None:
        return None
    bad = min(1.0, _TIMES * made.traffic.failure_share)
    found = made.power.prospect(made.canary, bad).found
    if found >= _LIKELY:
        return None
    enough = made.minutes_for(bad, _LIKELY)
    advice = (
        f"with {enough} minutes it would find {_LIKELY:.0%}"
        if enough
        else f"no number of minutes up to {MAX_STEP_MINUTES} would find {_LIKELY:.0%}: "
        "raise percent"
    )
    return (
        f"environments/{name}.toml: shift.minutes: found {made.shift.minutes}; at "
        f"{made.traffic.requests_per_second:g} requests a second, {made.traffic.failure_share:.2g} "
        f"of which fail, this canary finds {found:.0%} of versions that fail {_TIMES} times as "
        f"often, and {advice}; see pithead judge plan {name}"
    )
