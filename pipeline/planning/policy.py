"""The judge's parameters, the shift and the rails' threshold, from an environment file."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from environments.schema import AllAtOnce, Linear
from pipeline.judge import rails
from pipeline.judge.causes import evidence_rate
from pipeline.judge.shift import MINUTE, Shift
from pipeline.judge.statistics.objectives import SHARES
from pipeline.judge.statistics.periods import Parameters

if TYPE_CHECKING:
    from environments.schema import Canary, Environment, Judge

_FALSE_ALARM_RATE = 0.01
"""Rate for one day of an environment whose rails stop nothing; they get their share of it."""


def parameters(environment: Environment, judge: Judge) -> Parameters:
    """Return the parameters of the environment's judge."""
    guard = environment.guard
    return Parameters(
        false_rollback_rate=evidence_rate(judge.false_rollback_rate),
        tolerance=judge.tolerance,
        harmful=judge.harmful,
        undecided=judge.undecided,
        incident=judge.incident,
        objectives=SHARES,
        # Error responses have no objective: client errors are no incident of the service.
        limits={"failures": guard.max_failure_share, "slow-requests": guard.max_slow_share},
        min_requests=guard.min_requests,
    )


def bake_minutes(environment: Environment) -> int:
    """Return the minutes of the bake, after all traffic has moved."""
    return 0 if isinstance(environment.shift, AllAtOnce) else environment.shift.bake_minutes


def shift(environment: Environment) -> Shift:
    """Return the environment's stepwise shift."""
    if isinstance(environment.shift, AllAtOnce):
        raise TypeError("a shift all at once has no canary to judge")
    return _steps(environment.shift)


def rails_threshold(judge: Judge | None, shift: AllAtOnce | Canary | Linear) -> float:
    """Return the z-score from which the guard rails of an environment fire.

    With a judge, they fire by chance in at most their share of its `false_rollback_rate`. Without
    one, a shift all at once is over before they fire; they inform operations, day by day.
    """
    if judge is None or isinstance(shift, AllAtOnce):
        return rails.threshold(_FALSE_ALARM_RATE, int(timedelta(days=1) / MINUTE))
    bake = timedelta(minutes=shift.bake_minutes)
    minutes = rails.watched_minutes(_steps(shift).length, bake)
    return rails.threshold(judge.false_rollback_rate, minutes)


def _steps(shift: Canary | Linear) -> Shift:
    return Shift(shift.percent, shift.minutes, linear=isinstance(shift, Linear))
