"""The vectorised judge, compared with the one in the Lambda."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import judge
from benchmarks.cells import Cell
from benchmarks.hypergeometric import log_central, log_moments
from benchmarks.traffic import simulate
from pipeline.judge.statistics import CanaryTest, Counts

_Counts = np.ndarray[tuple[int, ...], np.dtype[np.int64]]
_CELLS = [
    Cell("regression", 1, 0.01, 0.005, 50.0, 8),
    Cell("regression", 1, 0.1, 0.01, 5.0, 8),
    Cell("healthy", 10, 0.1, 0.005, 1.0, 8),
    Cell("late", 10, 0.5, 0.001, 20.0, 8),
    Cell("incident", 100, 0.05, 0.001, 1.0, 5),
    Cell("bursts", 10, 0.1, 0.01, 10.0, 8),
    Cell("latency", 100, 0.1, 0.1, 1.0, 3),
    Cell("regression", 1000, 0.1, 0.0001, 2.0, 5),
]


@pytest.mark.parametrize("cell", _CELLS, ids=lambda cell: f"{cell.scenario}-{cell.canary}")
@pytest.mark.parametrize("alpha", [0.01, 0.005])
def test_the_evidence_is_that_of_canary_test(cell: Cell, alpha: float) -> None:
    traffic = simulate(cell, np.random.default_rng(3))
    together = judge.Judge(cell.releases, alpha)
    alone = [CanaryTest(false_rollback_rate=alpha) for _ in range(cell.releases)]
    stops = [0] * cell.releases
    for period in range(40):
        columns = [
            counts[:, period]
            for counts in (
                traffic.canary_requests,
                traffic.canary_bad,
                traffic.stable_requests,
                traffic.stable_bad,
            )
        ]
        together.observe(*columns)
        evidence, deciding = together.evidence, together.late_evidence
        for release, test in enumerate(alone):
            if stops[release]:
                continue  # The judge's values after a rollback do not matter.
            requests, bad, stable, stable_bad = (int(column[release]) for column in columns)
            test.observe(canary=Counts(requests, bad), stable=Counts(stable, stable_bad))
            assert evidence[release] == pytest.approx(test.evidence, abs=1e-9)
            assert deciding[release] == pytest.approx(test.late_evidence, abs=1e-9)
            if test.verdict == "rollback":
                stops[release] = period + 1
    assert judge.stops(traffic.until(40), alpha).tolist() == stops


@given(
    canary=st.integers(0, 12),
    stable=st.integers(0, 12),
    bad=st.integers(0, 24),
    odds=st.sampled_from([1.5, 3.0, 80.0]),
)
def test_few_requests_have_the_moment_of_the_exact_sum(
    canary: int, stable: int, bad: int, odds: float
) -> None:
    bad = min(bad, canary + stable)
    terms = {j: math.comb(canary, j) * math.comb(stable, bad - j) for j in range(bad + 1)}
    exact = sum(Fraction(odds) ** j * term for j, term in terms.items()) / sum(terms.values())
    found = log_moments(*_one(canary, stable, bad), np.array([math.log(odds)]))
    assert found[0, 0] == pytest.approx(math.log(exact), abs=1e-12)


@pytest.mark.parametrize(
    ("canary", "stable", "bad"),
    [(6000, 54_000, 300), (600, 59_400, 600), (30_000, 30_000, 1_500), (600, 600, 700)],
)
def test_many_requests_have_the_exact_moment_too(canary: int, stable: int, bad: int) -> None:
    odds = (1.5, 5.0, 80.0)
    least, most = max(0, bad - stable), min(bad, canary)
    weights = [math.comb(canary, least) * math.comb(stable, bad - least)]
    for j in range(least, most):
        up = (canary - j) * (bad - j)
        weights.append(weights[-1] * up // ((j + 1) * (stable - bad + j + 1)))
    counts = _one(canary, stable, bad)
    found = log_moments(*counts, np.log(odds))[0]
    logs = [math.log(weight) for weight in weights]
    for each, psi in zip(found, odds, strict=True):
        tilted = _log_sum([log + j * math.log(psi) for j, log in enumerate(logs, least)])
        assert each == pytest.approx(tilted - math.log(sum(weights)), abs=2e-10)
    middle = np.array([round(bad * canary / (canary + stable))])
    chance = logs[int(middle[0]) - least] - math.log(sum(weights))
    assert log_central(*counts, middle)[0] == pytest.approx(chance, abs=1e-10)


def _one(canary: int, stable: int, bad: int) -> tuple[_Counts, _Counts, _Counts]:
    return np.array([canary]), np.array([stable]), np.array([bad])


def _log_sum(logs: list[float]) -> float:
    top = max(logs)
    return top + math.log(math.fsum(math.exp(log - top) for log in logs))


def test_a_judge_that_knows_the_fault_is_no_slower() -> None:
    traffic = simulate(Cell("regression", 10, 0.1, 0.005, 10.0, 300), np.random.default_rng(4))
    odds = 0.05 * 0.995 / (0.95 * 0.005)
    ours, told = judge.stops(traffic), judge.stops(traffic, bets=judge.told(odds))
    assert (ours > 0).all()
    assert (told > 0).all()
    assert told.mean() < ours.mean()
