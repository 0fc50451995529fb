"""Rules that compare a canary's rate with a fixed number: Flagger, Argo Rollouts, alarms.

Each has the settings of its own documentation, in the versions that the table names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.sprt import first

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.traffic import Traffic

    Stops = NDArray[np.int64]
    Flags = NDArray[np.bool_]

FLAGGER_MINIMUM = 0.99
FLAGGER_THRESHOLD = 5
ARGO_INTERVAL = 5
ARGO_MINIMUM = 0.95
ARGO_FAILURE_LIMIT = 3
ALIAS_SHARE = 0.01


def flagger(traffic: Traffic) -> Stops:
    """`request-success-rate` below 99 % in five checks, one a minute.

    A check without traffic also fails ("no values found"), and failed checks add up over the whole
    rollout. Its scheduler rolls back at the tick after the fifth; that minute is not counted here.
    """
    requests, bad = traffic.canary_requests, traffic.canary_bad
    failed = (requests == 0) | (requests - bad < FLAGGER_MINIMUM * requests)
    return first(np.cumsum(failed, axis=1) >= FLAGGER_THRESHOLD)


def argo(traffic: Traffic) -> Stops:
    """`successCondition: result >= 0.95`, every five minutes, `failureLimit: 3`.

    It fails with the fourth failed measurement. Without requests the result is NaN, which meets
    no condition. The documentation's query uses the last two samples of the five minutes; here all
    of them are used, which favours the rule.
    """
    requests = _every(traffic.canary_requests, ARGO_INTERVAL)
    bad = _every(traffic.canary_bad, ARGO_INTERVAL)
    failed = (requests == 0) | (requests - bad < ARGO_MINIMUM * requests)
    return ARGO_INTERVAL * first(np.cumsum(failed, axis=1) > ARGO_FAILURE_LIMIT)


def alias_alarm(traffic: Traffic) -> Stops:
    """An alarm on the alias as a whole: more than 1 % of its requests fail in a minute."""
    requests = traffic.canary_requests + traffic.stable_requests
    bad = traffic.canary_bad + traffic.stable_bad
    return first(bad > ALIAS_SHARE * requests)


def errors_alarm(traffic: Traffic) -> Stops:
    """An alarm on the new version alone: `Errors` >= 1 in a minute."""
    return first(traffic.canary_bad >= 1)


def _every(counts: Stops, periods: int) -> Stops:
    whole = counts.shape[1] // periods
    parts = counts[:, : whole * periods].reshape(len(counts), whole, periods)
    return np.asarray(parts.sum(axis=2))
