from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest

from pipeline.judge.statistics import Counts
from pipeline.judge.statistics.judging import judge, outcome
from pipeline.judge.statistics.periods import Pair, Parameters, Period
from pipeline.judge.statistics.record import Record, code
from pipeline.judge.statistics.wording import rule, sentence

BEGAN = datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC)
PARAMETERS = Parameters(
    false_rollback_rate=0.01,
    tolerance=1.0,
    harmful=2.0,
    undecided="promote",
    incident="continue",
    objectives={"failures": 0.5, "slow-requests": 0.5},
    limits={"failures": 0.1, "slow-requests": 0.25},
    min_requests=50,
)


class Played(Protocol):
    """The type of `play`, which the fixture `record` returns."""

    def __call__(
        self,
        *,
        seed: int = ...,
        minutes: int = ...,
        per_minute: int = ...,
        share: float = ...,
        bad: float = ...,
        stable: float = ...,
        parameters: Parameters = ...,
        deployment: str = ...,
        began: datetime = ...,
    ) -> Record: ...


def play(
    *,
    seed: int = 1,
    minutes: int = 6,
    per_minute: int = 1200,
    share: float = 0.1,
    bad: float = 0.02,
    stable: float = 0.001,
    parameters: Parameters = PARAMETERS,
    deployment: str = "d-ABCDEF123",
    began: datetime = BEGAN,
) -> Record:
    """Return the record of a release in seeded traffic, stopped as by the judge."""
    chance = random.Random(seed)

    def among(requests: int, share: float) -> int:
        return sum(chance.random() < share for _ in range(requests))

    periods: list[Period] = []
    first = began.replace(second=0) + timedelta(minutes=1)
    for minute in range(minutes):
        ours = among(per_minute, share)
        theirs = per_minute - ours
        counts = {
            "failures": Pair(Counts(ours, among(ours, bad)), Counts(theirs, among(theirs, stable))),
            "slow-requests": Pair(
                Counts(ours, among(ours, stable)), Counts(theirs, among(theirs, stable))
            ),
        }
        periods.append(Period(first + timedelta(minutes=minute), 60, counts, (1, 0)))
        judged = judge(parameters, periods)
        if judged.verdict == "rollback":
            break
    came = outcome(parameters, judged, "stopped" if judged.verdict == "rollback" else "succeeded")
    return Record(
        service="files",
        environment="prod",
        deployment_id=deployment,
        stable="2",
        canary="3",
        percent=100 * share,
        began=began,
        shift_ends=began + timedelta(minutes=minutes + 1),
        parameters=parameters,
        code=code(),
        periods=tuple(periods),
        evidence=judged.evidence,
        rule=rule(parameters),
        verdict=judged.verdict,
        incident=judged.incident,
        decided_at=judged.decided_at,
        outcome=came,
        sentence=sentence(parameters, periods, judged, came),
    )


@pytest.fixture
def record() -> Played:
    return play


@pytest.fixture
def bad() -> Record:
    """A release in which one in fifty requests fails; before, one in a thousand."""
    return play()


@pytest.fixture
def good() -> Record:
    """A release that is equal to the one before."""
    return play(bad=0.001)
