"""The metric store: data is visible immediately, once, and after failures."""

from __future__ import annotations

import itertools
import json
import math
import threading
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localcloud.cloudwatch.metrics import DAY, RETENTION_SECONDS, MetricStore
from localcloud.cloudwatch.model import Metric
from localcloud.core.clock import Clock
from localcloud.core.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

METRIC = Metric("111111111111", "eu-west-1", "N", "Latency", (("version", "2"),))
OTHER = METRIC._replace(dimensions=(("version", "3"),))
_numbers = itertools.count()


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path_factory.mktemp("state"))
    yield ledger
    ledger.close()


steps = st.lists(
    st.one_of(
        st.just(None),
        st.tuples(
            st.sampled_from([0, 1]),
            st.integers(0, 600),
            st.integers(0, 9).map(float),
            st.sampled_from([1, 60]),
        ),
    ),
    max_size=30,
)


@settings(max_examples=40)
@given(steps, st.sampled_from([60, 120, 300]))
def test_windows_do_not_depend_on_the_order_of_flushes(
    ledger: Ledger, steps: list[tuple[int, int, float, int] | None], period: int
) -> None:
    clock = Clock()
    store = MetricStore(ledger, clock)
    begin = int(clock.timestamp()) // 600 * 600 - 6000
    # Every example has its own metrics in the shared ledger.
    names = [METRIC._replace(name=f"m{next(_numbers)}") for _ in range(2)]
    expected: dict[tuple[int, int], list[float]] = defaultdict(list)
    for step in steps:
        if step is None:
            store.flush()
            continue
        which, second, value, resolution = step
        store.put(names[which], "None", begin + second, [(value, 1.0)], resolution)
        expected[which, begin + second // period * period].append(value)
    for when in ("before the last flush", "after it", "after a restart"):
        if when != "before the last flush":
            store.flush()
        each = MetricStore(ledger, clock) if when == "after a restart" else store
        for which in (0, 1):
            windows = each.windows(names[which], None, begin, begin + 660, period)
            assert {time: sorted(seen.values) for time, seen in windows.items()} == {
                time: sorted(set(values))
                for (number, time), values in expected.items()
                if number == which
            }
            for time, seen in windows.items():
                assert seen.count == len(expected[which, time])
                assert seen.total == pytest.approx(math.fsum(expected[which, time]))


def test_concurrently_put_data_is_counted_once(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    clock = Clock()
    store = MetricStore(ledger, clock)
    now = clock.timestamp()
    done = threading.Event()
    counts: list[float] = []

    def put() -> None:
        for _ in range(500):
            store.put(METRIC, "Count", now, [(1.0, 1.0)])

    def read() -> None:
        while not done.is_set():
            store.flush()
            found = store.read(METRIC, None, now - 120, now + 120)
            counts.extend(seen.count for seen in found.values())

    reader = threading.Thread(target=read)
    putters = [threading.Thread(target=put) for _ in range(3)]
    for thread in (reader, *putters):
        thread.start()
    for thread in putters:
        thread.join()
    done.set()
    reader.join()
    store.flush()
    assert counts == sorted(counts)
    (seen,) = MetricStore(ledger, clock).read(METRIC, None, now - 120, now + 120).values()
    assert seen.count == 1500
    ledger.close()


def test_nothing_is_lost_when_the_ledger_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(tmp_path)
    clock = Clock()
    store = MetricStore(ledger, clock)
    now = clock.timestamp()
    store.put(METRIC, "None", now, [(1.0, 1.0)])
    with monkeypatch.context() as patched:
        patched.setattr(json, "dumps", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            store.flush()
    store.put(METRIC, "None", now, [(2.0, 1.0)])
    store.flush()
    (seen,) = MetricStore(ledger, clock).read(METRIC, None, now - 120, now + 120).values()
    assert seen.values == {1.0: 1.0, 2.0: 1.0}
    ledger.close()


def test_data_older_than_fifteen_days_is_neither_returned_nor_kept(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    store = MetricStore(ledger, Clock())
    then = Clock().timestamp()
    store.put(METRIC, "None", then, [(1.0, 1.0)])
    store.flush()
    late = MetricStore(ledger, Clock(origin=then + RETENTION_SECONDS + 2 * DAY))
    assert late.read(METRIC, None, 0, 1e11) == {}
    late.put(OTHER, "None", then + RETENTION_SECONDS + 2 * DAY, [(1.0, 1.0)])
    late.flush()
    assert ledger.query("SELECT count(*) FROM metric_points") == [(1,)]
    assert late.metrics("111111111111", "eu-west-1", then + DAY) == [OTHER]
    ledger.close()


def test_units_are_stored_separately_and_read_together_by_default(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    clock = Clock()
    store = MetricStore(ledger, clock)
    now = clock.timestamp()
    store.put(METRIC, "Seconds", now, [(1.0, 1.0)])
    store.flush()
    store.put(METRIC, "Bytes", now, [(2.0, 1.0)])

    def values(unit: str | None) -> set[float]:
        found = store.read(METRIC, unit, now - 120, now + 120).values()
        return {value for seen in found for value in seen.values}

    assert values("Seconds") == {1.0}
    assert values("Bytes") == {2.0}
    assert values(None) == {1.0, 2.0}
    assert values("Percent") == set()
    assert store.units(METRIC) == ["Bytes", "Seconds"]
    ledger.close()
