from __future__ import annotations

import pytest

from benchmarks.cells import PERIODS, Cell, faulty_cells, healthy_cells, share_slower, slow_cells


@pytest.mark.parametrize(
    ("base", "factor", "requests"),
    [(0.0001, 100, 230), (0.001, 10, 424), (0.001, 50, 50), (0.005, 4, 427), (0.01, 2, 1345)],
)
def test_the_limit_is_that_of_the_jensen_shannon_divergence(
    base: float, factor: float, requests: int
) -> None:
    """The values were calculated independently of this code, for a canary of a tenth."""
    limit = Cell("regression", 10, 0.1, base, factor, 1).limit
    assert limit == pytest.approx(requests, abs=0.5)


def test_detectable_faults_are_found_before_the_canary_ends() -> None:
    soon = Cell("regression", 10, 0.1, 0.005, 10.0, 1)
    assert soon.bar == pytest.approx(1.5 * 83.6 + 60, abs=0.1)
    assert soon.is_findable
    assert soon.periods == PERIODS
    never = Cell("regression", 1, 0.01, 0.0001, 2.0, 1)
    assert not never.is_findable
    edge = Cell("regression", 10, 0.1, 0.001, 5.0, 1)
    assert edge.is_findable
    assert edge.periods > PERIODS


def test_a_late_fault_has_a_higher_limit() -> None:
    late = Cell("late", 100, 0.1, 0.005, 5.0, 1)
    early = Cell("regression", 100, 0.1, 0.005, 5.0, 1)
    assert late.bar is not None
    assert early.bar is not None
    assert late.bar > early.bar == late.plain_bar


def test_no_limit_is_known_without_a_fault_or_with_retries() -> None:
    assert Cell("healthy", 10, 0.1, 0.01, 1.0, 1).limit is None
    assert Cell("bursts", 10, 0.1, 0.01, 10.0, 1).limit is None


def test_an_objective_at_the_median_is_exceeded_more_often_by_a_slower_version() -> None:
    assert share_slower(0.5, 1.0) == 0.5
    assert share_slower(0.5, 2.0) == pytest.approx(0.839, abs=1e-3)
    assert share_slower(0.01, 3.0) == pytest.approx(0.2245, abs=1e-3)


def test_every_scenario_is_simulated() -> None:
    cells = [*healthy_cells(1), *faulty_cells(1), *slow_cells(1)]
    assert len(set(cells)) == len(cells)
    failures = [cell for cell in cells if cell.scenario != "latency"]
    assert {cell.requests_per_second for cell in cells} == {1, 10, 100, 1000}
    assert {cell.base for cell in failures} == {0.0001, 0.001, 0.005, 0.01}
    assert {cell.canary for cell in cells} == {0.01, 0.05, 0.1, 0.5}
    assert {cell.factor for cell in failures} == {1, 2, 3, 5, 10, 20, 50}
    assert {cell.base for cell in cells if cell.scenario == "latency"} == {0.5, 0.1, 0.01}
    assert {cell.scenario for cell in cells if cell.is_healthy} == {
        "healthy", "incident", "drift", "bursts", "latency",
    }  # fmt: skip
