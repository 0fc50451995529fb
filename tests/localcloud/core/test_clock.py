from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.core.clock import Clock

_SPEEDS = st.floats(0.01, 10_000)


@given(_SPEEDS, st.floats(0, 1e6))
def test_cloud_time_continues_from_the_last_process(speed: float, ahead: float) -> None:
    origin = time.time() + ahead
    clock = Clock(speed, origin)
    first, second = clock.timestamp(), clock.timestamp()
    assert origin <= first <= second
    assert Clock(speed, second).timestamp() >= second


@given(_SPEEDS, st.floats(0, 1e5))
def test_spans_are_scaled(speed: float, seconds: float) -> None:
    clock = Clock(speed)
    assert clock.wall_seconds(seconds) == pytest.approx(seconds / speed)
    wall = time.time()
    assert clock.of_wall(wall + seconds) - clock.of_wall(wall) == pytest.approx(
        seconds * speed, rel=1e-4, abs=1e-6 * max(1, speed)
    )


def test_an_older_origin_is_ignored() -> None:
    assert Clock(1, origin=5.0).timestamp() > 1e9


def test_waits() -> None:
    clock = Clock(3600.0)
    before = time.monotonic()
    assert clock.wait(36.0, threading.Event()) is False
    assert time.monotonic() - before >= 0.01
    event = threading.Event()
    event.set()
    assert clock.wait(1e9, event) is True
    assert clock.wait(-5, threading.Event()) is False


@pytest.mark.parametrize("speed", [0, -1, float("nan")])
def test_a_speed_that_is_not_positive_is_rejected(speed: float) -> None:
    with pytest.raises(ValueError, match="speed is"):
        Clock(speed)
