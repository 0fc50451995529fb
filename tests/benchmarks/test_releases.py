"""Whole releases: chance stops no more than the stated rate, and an outage stops in a minute."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from benchmarks import causes
from benchmarks.outages import outages, tail
from benchmarks.outages import table as outages_table
from benchmarks.release_traffic import COMPARED, NEW_SHARES, Incident, Releases, simulate
from benchmarks.releases import Result, incidents, over, play, table
from pipeline.judge import rails
from pipeline.judge.statistics.judging import judge

EIGHT_PERCENT = Incident(10, 0.08)


def _played(incident: Incident, releases: int, seed: int = 1) -> Releases:
    return simulate(incident, releases, np.random.default_rng(seed))


def test_an_incident_below_the_limit_stops_few_releases_and_stopped_nearly_all_before() -> None:
    result = play(EIGHT_PERCENT, 500, seed=1)
    assert result.by_chance <= 12  # 1 % of 500 is guaranteed: 13 or more has a chance of 0.2 %
    assert result.raw_rails > 450
    assert over([result]) == []


def test_an_incident_beyond_the_limit_breaks_the_assumption() -> None:
    result = play(Incident(100, 0.15), 50, seed=1)
    assert result.rails == 50
    assert over([result]) == []


def test_a_row_beyond_the_rate_fails_the_benchmark() -> None:
    result = Result(EIGHT_PERCENT, 4000, 0, 0, 0, 60, 0, 0, 0, 0, 1000)
    assert over([result]) == [result]


@pytest.mark.parametrize("limit", [0.1, 0.25])
def test_the_deviations_of_many_minutes_are_those_of_the_rail(limit: float) -> None:
    cells = [(bad, requests) for requests in (0, 1, 2, 50, 600) for bad in range(requests + 1)]
    bad, requests = np.array(cells).T
    assert causes.deviations(bad, requests, limit) == pytest.approx(
        [rails.deviations(*cell, limit) for cell in cells]
    )


def test_the_evidence_is_the_judges() -> None:
    """In releases of which some are stopped and some are not."""
    new, old = _played(Incident(10, 0.025), 30).new, _played(Incident(10, 0.005), 30).old
    releases = Releases(new, old)
    verdicts = [
        judge(causes.PARAMETERS, causes.periods(releases, number, COMPARED)).verdict
        for number in range(30)
    ]
    stopped = [verdict == "rollback" for verdict in verdicts]
    assert causes.evidence(releases).tolist() == stopped
    assert 0 < sum(stopped) < 30


def test_the_incident_policy_is_the_judges() -> None:
    releases = _played(Incident(10, 0.095), 8)
    ends = range(COMPARED.start + 1, COMPARED.stop + 1)
    seen = [
        any(
            judge(
                causes.PARAMETERS, causes.periods(releases, number, slice(COMPARED.start, end))
            ).incident
            for end in ends
        )
        for number in range(8)
    ]
    assert causes.incident_policy(releases).tolist() == seen
    assert 0 < sum(seen) < 8


def test_undecided_is_asked_before_the_shift_ends() -> None:
    assert causes.undecided_policy(_played(Incident(10, 0.001), 3), 3).all()
    assert not causes.undecided_policy(_played(Incident(1000, 0.09), 3), 3).any()


def test_journeys_and_the_heartbeat_need_several_bad_minutes() -> None:
    chance, releases = np.random.default_rng(1), _played(Incident(10, 0.001), 2000)
    assert causes.failed_journeys(releases, 1.0, chance).all()
    assert not causes.failed_journeys(releases, 0.0, chance).any()
    assert 0 < causes.failed_journeys(releases, 0.08, chance).mean() < 0.01
    assert causes.silence(releases, chance).mean() < 0.003


def test_the_shift_begins_and_ends_within_a_minute() -> None:
    assert NEW_SHARES.tolist() == pytest.approx([0.05, *[0.1] * 7, 0.55, *[1.0] * 5])


def test_outages_are_stopped_within_a_minute() -> None:
    least = outages()[0]
    assert (least.requests, least.fires_at, least.fired_at) == (50, 18, 6)
    assert least.stopped(0.5)[0] > 0.98
    assert all(each.stopped(1.0) == (1.0, 1.0) for each in outages())
    assert outages_table().count("\n") == 1 + len(outages())


def test_the_tail_is_the_binomials() -> None:
    share = Fraction(3, 10)
    exact = sum(
        math.comb(50, count) * share**count * (1 - share) ** (50 - count) for count in range(18, 51)
    )
    assert tail(18, 50, 0.3) == pytest.approx(float(exact))


def test_the_table_has_a_row_for_each() -> None:
    results = [play(each, 10, seed=1) for each in incidents()[:2]]
    assert table(results).count("\n") == 1 + 2
