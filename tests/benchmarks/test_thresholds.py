"""Flagger, Argo Rollouts and alarms, by their sources and documentation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks import thresholds

if TYPE_CHECKING:
    from tests.benchmarks.conftest import MakeTraffic


def test_flagger_adds_failed_checks_up_over_the_whole_rollout(make_traffic: MakeTraffic) -> None:
    """A successful check in between resets nothing: the fifth failure rolls back."""
    scattered = [2, 0, 2, 0, 0, 2, 0, 2, 0, 0, 0, 2, 2]
    assert thresholds.flagger(make_traffic(scattered)).tolist() == [12]
    assert thresholds.flagger(make_traffic(scattered[:11])).tolist() == [0]


def test_flagger_takes_exactly_its_minimum(make_traffic: MakeTraffic) -> None:
    assert thresholds.flagger(make_traffic([1] * 20)).tolist() == [0]


def test_flagger_fails_a_check_that_finds_no_values(make_traffic: MakeTraffic) -> None:
    assert thresholds.flagger(make_traffic([0] * 6, requests=0)).tolist() == [5]


@pytest.mark.parametrize(("failed", "stop"), [(3, 0), (4, 20), (5, 20)])
def test_argo_fails_with_more_failed_measurements_than_its_limit(
    make_traffic: MakeTraffic, failed: int, stop: int
) -> None:
    bad = [6] * 5 * failed + [0] * 5 * (6 - failed)
    assert thresholds.argo(make_traffic(bad)).tolist() == [stop]


def test_argo_measures_five_minutes_at_once(make_traffic: MakeTraffic) -> None:
    """A bad minute among four good ones is above 95 %."""
    assert thresholds.argo(make_traffic([20, 0, 0, 0, 0] * 6)).tolist() == [0]
    assert thresholds.argo(make_traffic([30, 0, 0, 0, 0] * 6)).tolist() == [20]


def test_argo_without_requests_meets_no_condition(make_traffic: MakeTraffic) -> None:
    assert thresholds.argo(make_traffic([0] * 30, requests=0)).tolist() == [20]


def test_an_alarm_on_the_alias_sees_the_canary_diluted(make_traffic: MakeTraffic) -> None:
    """2 % of one half of the traffic is 1 % of the alias."""
    assert thresholds.alias_alarm(make_traffic([0, 2, 2])).tolist() == [0]
    assert thresholds.alias_alarm(make_traffic([0, 2, 3])).tolist() == [3]
    assert thresholds.alias_alarm(make_traffic([0, 0], stable_bad=[0, 3])).tolist() == [2]


def test_an_alarm_on_the_version_needs_one_error(make_traffic: MakeTraffic) -> None:
    assert thresholds.errors_alarm(make_traffic([0, 0, 1, 0], stable_bad=50)).tolist() == [3]
    assert thresholds.errors_alarm(make_traffic([0, 0], stable_bad=50)).tolist() == [0]
