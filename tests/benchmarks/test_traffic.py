from __future__ import annotations

import numpy as np
import pytest

from benchmarks.cells import LATE, Cell, Scenario
from benchmarks.traffic import ATTEMPTS, INCIDENT, INCIDENT_RATE, Traffic, simulate


def _play(scenario: Scenario, factor: float = 1.0, base: float = 0.01) -> Traffic:
    cell = Cell(scenario, 100, 0.1, base, factor, 200)
    return simulate(cell, np.random.default_rng(5))


def _rates(traffic: Traffic, periods: slice = slice(None)) -> tuple[float, float]:
    return (
        traffic.canary_bad[:, periods].sum() / traffic.canary_requests[:, periods].sum(),
        traffic.stable_bad[:, periods].sum() / traffic.stable_requests[:, periods].sum(),
    )


def test_a_regression_multiplies_the_failure_rate() -> None:
    traffic = _play("regression", 5.0)
    assert _rates(traffic) == pytest.approx((0.05, 0.01), rel=0.02)
    requests = traffic.canary_requests + traffic.stable_requests
    assert requests.mean() == pytest.approx(6000, rel=0.01)
    assert traffic.canary_requests.sum() / requests.sum() == pytest.approx(0.1, rel=0.01)


@pytest.mark.parametrize("scenario", ["healthy", "incident", "drift", "bursts", "latency"])
def test_a_healthy_canary_is_like_the_stable_version_in_every_minute(scenario: Scenario) -> None:
    traffic = _play(scenario)
    bad = traffic.canary_bad + traffic.stable_bad
    share = traffic.canary_requests / (traffic.canary_requests + traffic.stable_requests)
    excess = (traffic.canary_bad - bad * share).sum(axis=0)
    noise = np.sqrt((bad * share * (1 - share)).sum(axis=0))
    assert (np.abs(excess) < 4.5 * noise).all()


def test_an_incident_hits_both_versions_alike_and_ends() -> None:
    traffic = _play("incident", base=0.001)
    assert _rates(traffic, INCIDENT) == pytest.approx((INCIDENT_RATE, INCIDENT_RATE), rel=0.05)
    assert _rates(traffic, slice(0, INCIDENT.start))[1] == pytest.approx(0.001, rel=0.1)
    assert traffic.base[INCIDENT].tolist() == [INCIDENT_RATE] * 15


def test_drift_moves_traffic_and_rate() -> None:
    traffic = _play("drift")
    rates = traffic.stable_bad.sum(axis=0) / traffic.stable_requests.sum(axis=0)
    assert rates.max() / rates.min() == pytest.approx(9, rel=0.15)
    requests = traffic.stable_requests.mean(axis=0)
    assert requests.max() / requests.min() == pytest.approx(4, rel=0.05)


def test_a_late_fault_begins_late() -> None:
    traffic = _play("late", 5.0)
    assert _rates(traffic, slice(0, LATE)) == pytest.approx((0.01, 0.01), rel=0.05)
    assert _rates(traffic, slice(LATE, None)) == pytest.approx((0.05, 0.01), rel=0.05)


def test_clients_retry_so_failures_come_in_clumps() -> None:
    traffic = _play("bursts")
    bad = traffic.canary_bad + traffic.stable_bad
    assert (bad % ATTEMPTS == 0).all()
    assert _rates(traffic)[1] == pytest.approx(traffic.base[0], rel=0.03)
    requests = (traffic.canary_requests + traffic.stable_requests)[0]
    assert requests.max() > 3 * np.median(requests)


def test_retries_of_the_canarys_own_fault_may_land_on_the_canary_again() -> None:
    cell = Cell("bursts", 100, 0.5, 0.0001, 1000.0, 200)
    traffic = simulate(cell, np.random.default_rng(5))
    clients = 6000 * 1.4
    # Half of a tenth fails at first, and half of those at each retry.
    expected = clients * 0.1 * (0.5 + 0.25 + 0.125 + 0.0625)
    assert traffic.canary_bad.mean() == pytest.approx(expected, rel=0.02)


def test_the_baseline_is_as_large_as_the_canary_and_part_of_the_stable_version() -> None:
    traffic = _play("healthy")
    assert traffic.baseline_requests.sum() == pytest.approx(traffic.canary_requests.sum(), rel=0.01)
    assert (traffic.baseline_bad <= traffic.stable_bad).all()
    rate = traffic.baseline_bad.sum() / traffic.baseline_requests.sum()
    assert rate == pytest.approx(0.01, rel=0.05)


def test_a_canary_of_half_the_traffic_has_all_the_rest_as_its_baseline() -> None:
    traffic = simulate(Cell("healthy", 10, 0.5, 0.01, 1.0, 5), np.random.default_rng(6))
    assert (traffic.baseline_bad == traffic.stable_bad).all()
