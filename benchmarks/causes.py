"""Apply every cause of a rollback to simulated releases; each returns which ones it stops."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.arrivals import SETTINGS
from benchmarks.judge import FALSE_ROLLBACK_RATE, Judge
from benchmarks.release_traffic import BAKED, COMPARED, CRASHES, NEW_SHARES, OBJECTIVES
from pipeline.judge.causes import evidence_rate
from pipeline.judge.evaluation import DECISION_LEAD
from pipeline.judge.rails import LOOKS, threshold, watched_minutes
from pipeline.judge.shift import MINUTE
from pipeline.judge.statistics.counts import Counts
from pipeline.judge.statistics.judging import judge
from pipeline.judge.statistics.periods import Pair, Period

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.random import Generator
    from numpy.typing import NDArray

    from benchmarks.release_traffic import Integers, Releases, Version

    Stopped = NDArray[np.bool_]
    Fires = Callable[[Integers, Integers, float], Stopped]

PARAMETERS = SETTINGS.parameters
THRESHOLD = threshold(FALSE_ROLLBACK_RATE, watched_minutes(SETTINGS.shift.length, SETTINGS.bake))
JOURNEY_REQUESTS = 6
"""Steps of the sample service's journey, with one request each."""
MISSED_RUNS = 0.01
"""Share of the judge's runs that fail, far more than Lambda's service level allows."""
_RAILS = {
    "failures": PARAMETERS.limits["failures"],
    "slow-requests": PARAMETERS.limits["slow-requests"],
    CRASHES: PARAMETERS.limits["failures"],
}
"""The limit of each rail, by what it counts."""
_DECIDED = slice(COMPARED.start, COMPARED.stop - int(DECISION_LEAD / MINUTE))
"""The whole minutes of the shift that are judged when an undecided canary is rolled back."""


def evidence(releases: Releases) -> Stopped:
    """Apply the judge's evidence, with its share of the rate, to the minutes of the shift."""
    rate = evidence_rate(FALSE_ROLLBACK_RATE)
    new, old = releases
    count = len(new.requests)
    judges = {name: Judge(count, rate * share) for name, share in PARAMETERS.objectives.items()}
    stopped = np.zeros(count, np.bool_)
    for minute in range(len(NEW_SHARES))[COMPARED]:
        wealth = np.zeros(count)
        for name, test in judges.items():
            test.observe(
                new.requests[:, minute], new.bad[name][:, minute],
                old.requests[:, minute], old.bad[name][:, minute],
            )  # fmt: skip
            wealth += PARAMETERS.objectives[name] * 10**test.late_evidence
        stopped |= wealth >= 1 / rate
    return stopped


def rails(releases: Releases, chance: Generator) -> Stopped:
    """Apply the guard rails: more bad requests in a minute than the limit and chance explain."""

    def fires(bad: Integers, requests: Integers, limit: float) -> Stopped:
        return deviations(bad, requests, limit) >= THRESHOLD

    return _rails(releases, chance, fires)


def raw_rails(releases: Releases, chance: Generator) -> Stopped:
    """Apply the guard rails as they were: a share of bad requests above the limit."""

    def fires(bad: Integers, requests: Integers, limit: float) -> Stopped:
        return np.asarray(bad > limit * requests)

    return _rails(releases, chance, fires)


def _rails(releases: Releases, chance: Generator, fires: Fires) -> Stopped:
    new, old = releases
    stopped = np.zeros(new.requests.shape, np.bool_)
    for name, limit in _RAILS.items():
        bad, old_bad = new.bad[name], old.bad[name]
        counts = [bad, new.requests - bad, old_bad, old.requests - old_bad]
        for bad_, good, old_bad_, old_good in _looks(counts, chance):
            stopped |= (
                (bad_ + good >= PARAMETERS.min_requests)
                & fires(bad_, bad_ + good, limit)
                & (old_bad_ <= limit * (old_bad_ + old_good))
            )
    return np.asarray(stopped.any(axis=1))


def _looks(counts: list[Integers], chance: Generator) -> Iterator[list[Integers]]:
    """Yield what the alarm sees of a minute: all of it, and at earlier looks random parts."""
    yield counts
    for look in range(LOOKS - 1, 0, -1):
        # The largest of so many uniform parts of what had arrived at the next look.
        part = chance.random(counts[0].shape) ** (1 / look)
        counts = [chance.binomial(each, part) for each in counts]
        yield counts


def deviations(bad: Integers, requests: Integers, limit: float) -> NDArray[np.float64]:
    """Return `pipeline.judge.rails.deviations` of many minutes."""
    fewer = np.maximum(bad - 1, 1).astype(float)
    every = np.maximum(requests, 1).astype(float)
    rest = every - fewer + (bad < 1)
    log_ratio = fewer * np.log(fewer / (limit * every)) + rest * np.log(
        np.maximum(rest, 1) / ((1 - limit) * every)
    )
    return np.where(bad - 1 > limit * requests, np.sqrt(2 * np.abs(log_ratio)), 0.0)


def failed_journeys(releases: Releases, failing: float, chance: Generator) -> Stopped:
    """Apply the alarm on journeys: two of three in a row fail in the bake, one a minute.

    A journey fails if the same step fails in both of its tries.
    """
    minutes = len(releases.new.requests), BAKED.stop - BAKED.start
    failed = chance.random((2, *minutes, JOURNEY_REQUESTS)) < failing
    first, second = np.where(failed.any(axis=3), failed.argmax(axis=3), -1)  # each try's first
    return _within((first == second) & (first >= 0), 2, 3)


def silence(releases: Releases, chance: Generator) -> Stopped:
    """Apply the alarm on the heartbeat: three of five minutes without a run of the judge."""
    return _within(chance.random(releases.new.requests.shape) < MISSED_RUNS, 3, 5)


def _within(bad: NDArray[np.bool_], count: int, window: int) -> Stopped:
    """Return where any `window` minutes in a row have `count` bad ones."""
    padded = np.pad(bad, ((0, 0), (window - 1, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, window, axis=1)
    return np.asarray((windows.sum(axis=2) >= count).any(axis=1))


def incident_policy(releases: Releases) -> Stopped:
    """Apply `incident = "stop"`: up to any minute, both versions exceed a limit of the guard."""
    new, old = releases
    stopped = np.zeros(new.requests[:, COMPARED].shape, np.bool_)
    for name, limit in PARAMETERS.limits.items():
        requests, bad, old_requests, old_bad = (
            each[:, COMPARED] for each in (new.requests, new.bad[name], old.requests, old.bad[name])
        )
        during = (old_requests >= PARAMETERS.min_requests) & (old_bad > limit * old_requests)
        stopped |= np.cumsum(bad * during, axis=1) > limit * np.cumsum(requests * during, axis=1)
    return np.asarray(stopped.any(axis=1))


def undecided_policy(releases: Releases, count: int) -> Stopped:
    """Apply `undecided = "rollback"` to the first releases, three minutes before the shift ends."""
    verdicts = (
        judge(PARAMETERS, periods(releases, each, _DECIDED)).verdict for each in range(count)
    )
    return np.array([verdict == "undecided" for verdict in verdicts])


def periods(releases: Releases, number: int, minutes: slice) -> list[Period]:
    """Return minutes of one release as the judge's input."""
    new, old = releases
    return [
        Period(
            datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute),
            60,
            {
                name: Pair(_counts(new, name, number, minute), _counts(old, name, number, minute))
                for name in OBJECTIVES
            },
        )
        for minute in range(len(NEW_SHARES))[minutes]
    ]


def _counts(version: Version, name: str, number: int, minute: int) -> Counts:
    return Counts(int(version.requests[number, minute]), int(version.bad[name][number, minute]))
