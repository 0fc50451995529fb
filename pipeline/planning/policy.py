"""The judge's parameters and the shift, from an environment file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from environments.schema import AllAtOnce, Environment, Linear
from pipeline.judge.shift import Shift
from pipeline.judge.statistics.objectives import SHARES
from pipeline.judge.statistics.periods import Parameters

if TYPE_CHECKING:
    from environments.schema import Judge


def parameters(environment: Environment, judge: Judge) -> Parameters:
    """Return the parameters of the environment's judge."""
    guard = environment.guard
    return Parameters(
        false_rollback_rate=judge.false_rollback_rate,
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
    found = environment.shift
    if isinstance(found, AllAtOnce):
        raise TypeError("a shift all at once has no canary to judge")
    return Shift(found.percent, found.minutes, linear=isinstance(found, Linear))
