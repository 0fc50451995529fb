"""Statistics compared with their definitions."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.cloudwatch.model import DefinitionError
from localcloud.cloudwatch.statistics import Distribution, check_statistic, merged

observations = st.lists(
    st.tuples(st.floats(0, 1e6, allow_subnormal=False), st.integers(1, 20)), min_size=1, max_size=60
)


def _of(observed: list[tuple[float, int]]) -> Distribution:
    result = Distribution()
    for value, count in observed:
        result.add(value, count)
    return result


@given(observations, st.floats(0, 100))
def test_a_percentile_is_the_nearest_rank_of_all_observations(
    observed: list[tuple[float, int]], share: float
) -> None:
    every = sorted(value for value, count in observed for _ in range(count))
    rank = max(1, math.ceil(len(every) * share / 100 * (1 - 1e-12)))
    assert _of(observed).percentile(share) == every[rank - 1]


@given(observations)
def test_plain_statistics(observed: list[tuple[float, int]]) -> None:
    every = [value for value, count in observed for _ in range(count)]
    seen = _of(observed)
    assert seen.statistic("SampleCount") == len(every)
    assert seen.statistic("Minimum") == min(every)
    assert seen.statistic("Maximum") == max(every)
    assert seen.statistic("Sum") == pytest.approx(math.fsum(every))
    assert seen.statistic("Average") == pytest.approx(math.fsum(every) / len(every))


@given(observations, st.integers(0, 60))
def test_merged_statistics_equal_those_of_all_observations(
    observed: list[tuple[float, int]], at: int
) -> None:
    whole, parts = _of(observed), merged([_of(observed[:at]), _of(observed[at:])])
    assert parts.values == whole.values
    assert parts.count == whole.count
    assert (parts.minimum, parts.maximum) == (whole.minimum, whole.maximum)


@given(st.integers(0, 2**32), st.sampled_from([1.0, 50.0, 90.0, 99.0]))
def test_percentiles_of_many_values_are_within_half_a_percent(seed: int, share: float) -> None:
    numbers = [((seed + n * 2654435761) % 2**32) / 2**20 + 1 for n in range(2000)]
    seen = _of([(number, 1) for number in numbers])
    exact = sorted(numbers)[math.ceil(2000 * share / 100) - 1]
    assert seen.percentile(share) == pytest.approx(exact, rel=0.005)
    assert len(seen.values) < 2000


def test_a_statistic_set_has_no_percentiles_unless_its_values_are_all_the_same() -> None:
    known, unknown = Distribution(), Distribution()
    known.add_set(3, 12, 4, 4)
    unknown.add_set(3, 12, 1, 9)
    assert known.percentile(99) == 4
    assert unknown.percentile(99) is None
    assert unknown.statistic("Average") == 4


def test_negative_values_have_no_percentiles() -> None:
    seen = _of([(-1.0, 1), (2.0, 1)])
    assert seen.percentile(50) is None


@pytest.mark.parametrize("name", ["p50", "p99.9", "p100", "Sum", "SampleCount"])
def test_supported_statistics(name: str) -> None:
    check_statistic(name)


@pytest.mark.parametrize("name", ["tm90", "IQM", "p101", "p", "sum", "PR(1:2)"])
def test_unsupported_statistics_are_rejected_by_name(name: str) -> None:
    with pytest.raises(DefinitionError, match=r"for parameter Stat is not supported"):
        check_statistic(name)
