from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.judge.statistics import Counts
from pipeline.judge.statistics.periods import Pair, Parameters, Period

if TYPE_CHECKING:
    from collections.abc import Callable

BEGAN = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
RULE = Parameters(
    false_rollback_rate=0.01,
    tolerance=1.0,
    harmful=2.0,
    undecided="promote",
    incident="continue",
    objectives={"failures": 0.5, "slow-requests": 0.5},
    limits={"failures": 0.05, "slow-requests": 0.2},
    min_requests=50,
)


@pytest.fixture(scope="session")
def exact_split() -> Callable[[int, int, int, float], dict[int, Fraction]]:
    """Return P_ψ(the canary served j failures) of each j, in fractions term by term."""

    def split(canary: int, stable: int, failures: int, psi: float) -> dict[int, Fraction]:
        terms = {
            j: math.comb(canary, j) * math.comb(stable, failures - j) * Fraction(psi) ** j
            for j in range(max(0, failures - stable), min(failures, canary) + 1)
        }
        total = sum(terms.values())
        return {j: term / total for j, term in terms.items()}

    return split


@pytest.fixture
def rule() -> Parameters:
    """A rule like prod's."""
    return RULE


@pytest.fixture
def minute() -> Callable[..., Period]:
    """Return a maker of a minute.

    Its arguments are the number, (requests, failures), and slow requests of both versions.
    """

    def make(
        number: int,
        canary: tuple[int, int],
        stable: tuple[int, int],
        slow: tuple[int, int] = (0, 0),
    ) -> Period:
        def counts(one: tuple[int, int], other: tuple[int, int]) -> Pair:
            return Pair(Counts(*one), Counts(*other))

        return Period(
            start=BEGAN + timedelta(minutes=number),
            seconds=60,
            counts={
                "failures": counts(canary, stable),
                "slow-requests": counts((canary[0], slow[0]), (stable[0], slow[1])),
            },
            cold_starts=(number % 2, 0),
        )

    return make


@pytest.fixture
def bad(minute: Any) -> list[Period]:
    """A canary whose every second request fails."""
    return [minute(number, (8, 4), (72, 0)) for number in range(3)]
