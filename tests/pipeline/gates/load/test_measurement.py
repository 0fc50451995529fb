from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.gates.load.histogram import BUCKET_RATIO, Histogram
from pipeline.gates.load.measurement import BLOCKS, Measurement

_LATENCIES = st.lists(st.floats(0.01, 100_000), min_size=1, max_size=60)
_ANSWERS = st.lists(
    st.tuples(
        st.sampled_from(["read", "write"]),
        st.floats(0, 10, exclude_max=True),
        st.floats(0.1, 5000),
        st.sampled_from([None, None, "status 503"]),
    ),
    max_size=60,
)


def _measured(answers: list[tuple[str, float, float, str | None]]) -> Measurement:
    seen = Measurement(10.0)
    for answer in answers:
        seen.answered(*answer)
        seen.lateness.add(1.0)
    return seen


@given(_LATENCIES, st.floats(0, 1))
def test_a_quantile_is_exact_to_the_width_of_a_bucket(latencies: list[float], share: float) -> None:
    histogram = Histogram()
    for each in latencies:
        histogram.add(each)
    exact = sorted(latencies)[max(1, math.ceil(share * len(latencies))) - 1]
    assert exact / BUCKET_RATIO < histogram.quantile(share) < exact * BUCKET_RATIO


def test_every_quantile_of_an_empty_histogram_is_zero() -> None:
    assert (Histogram().quantile(0.95), Histogram().total) == (0.0, 0)


@given(_LATENCIES, _LATENCIES)
def test_histograms_add_up(first: list[float], second: list[float]) -> None:
    apart = [Histogram(), Histogram()]
    together = Histogram()
    for histogram, latencies in zip(apart, (first, second), strict=True):
        for each in latencies:
            histogram.add(each)
            together.add(each)
    assert Histogram.sum(apart).counts == together.counts


@given(_ANSWERS, st.lists(st.booleans(), min_size=60, max_size=60))
def test_measurements_of_workers_add_up_to_one_measurement(
    answers: list[tuple[str, float, float, str | None]], first: list[bool]
) -> None:
    mine = [answer for answer, here in zip(answers, first, strict=False) if here]
    others = [answer for answer, here in zip(answers, first, strict=False) if not here]
    added = Measurement(10.0)
    for part in (mine, others):
        added.add(_measured(part))
    whole = _measured(answers)
    assert added.document() == whole.document()
    assert added.requests == len(answers)
    assert added.failures.total() == sum(failure is not None for *_, failure in answers)


@given(_ANSWERS)
def test_a_measurement_round_trips_through_json(
    answers: list[tuple[str, float, float, str | None]],
) -> None:
    seen = _measured(answers)
    assert Measurement.read(json.loads(json.dumps(seen.document()))).document() == seen.document()


@pytest.mark.parametrize(
    "change", [{"latencies": {"read": [{}]}}, {"failures": 3}, {"cold": 3}, {"timely": [1]}]
)
def test_invalid_json_is_an_error(change: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
        Measurement.read(Measurement(1.0).document() | change)


def test_a_block_is_a_twentieth_of_the_time() -> None:
    seen = _measured([("read", half / 2 + 0.1, 5.0, None) for half in range(20)])
    assert [block.total for block in seen.latencies["read"]] == [1] * BLOCKS
    assert [block.total for block in seen.with_all()["all requests"]] == [1] * BLOCKS


def test_throughput_counts_successful_responses_in_time() -> None:
    seen = _measured([("read", 1.0, 5.0, None)] * 30 + [("read", 1.0, 5.0, "status 500")] * 10)
    assert seen.throughput == 3.0
    seen.answered("read", 9.0, 6000.0, None)  # a late response does not reduce it
    assert seen.throughput == 3.0
