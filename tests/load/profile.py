"""The load profile: mostly reads of small files, some writes, a listing now and then."""

from __future__ import annotations

import json
import os
import time
import uuid
from pathlib import Path
from typing import Any

import gevent
from locust import HttpUser, constant_pacing, events, task

_WARM_UP = float(os.environ["LOAD_WARM_UP_SECONDS"])
_samples: list[tuple[float, bool]] = []
_times: dict[str, float] = {}


@events.init.add_listener
def _look_at_the_clock(**_arguments: Any) -> None:
    # Locust sets its --run-time from when the event loop last looked: before the imports.
    gevent.get_hub().loop.update_now()


@events.test_start.add_listener
def _start(**_arguments: Any) -> None:
    _times["counted from"] = time.monotonic() + _WARM_UP


@events.test_stopping.add_listener
def _stop(**_arguments: Any) -> None:
    _times["counted until"] = time.monotonic()


@events.request.add_listener
def _sample(response_time: float, exception: Exception | None, **_arguments: Any) -> None:
    """Count a request between the warm-up and the users' own tidying up."""
    if time.monotonic() >= _times["counted from"] and "counted until" not in _times:
        _samples.append((response_time, exception is not None))


@events.quitting.add_listener
def _report(**_arguments: Any) -> None:
    times = sorted(sample[0] for sample in _samples)

    def quantile(share: float) -> float:
        return times[min(len(times) - 1, int(share * len(times)))] if times else 0.0

    measured = {
        "requests": len(_samples),
        "failures": sum(failed for _, failed in _samples),
        "p95": quantile(0.95),
        "p99": quantile(0.99),
        "seconds": max(0.0, _times["counted until"] - _times["counted from"]),
    }
    Path(os.environ["LOAD_REPORT"]).write_text(json.dumps(measured), encoding="utf-8")


class Reader(HttpUser):
    """Writes a file of its own, reads it again and again, and takes it away at the end."""

    wait_time = constant_pacing(float(os.environ["LOAD_PACING_SECONDS"]))

    def on_start(self) -> None:
        self.path = f"/files/load/{uuid.uuid4()}.bin"
        self.client.put(self.path, data=b"x" * 2048, name="write")

    def on_stop(self) -> None:
        self.client.delete(self.path, name="delete")

    @task(7)
    def read(self) -> None:
        self.client.get(self.path, name="read")

    @task(2)
    def write(self) -> None:
        self.client.put(self.path, data=b"y" * 2048, name="write")

    @task(1)
    def browse(self) -> None:
        self.client.get("/files?prefix=load/&limit=20", name="list")
