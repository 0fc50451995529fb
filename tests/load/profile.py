"""The load profile: mostly reads of small files, some writes, a listing now and then."""

from __future__ import annotations

import json
import os
import time
import uuid
from pathlib import Path
from typing import Any

from locust import HttpUser, constant_pacing, events, task

_WARM_UP = float(os.environ["LOAD_WARM_UP_SECONDS"])
_samples: list[tuple[float, bool]] = []
_began = time.monotonic()


@events.test_start.add_listener
def _start(**_arguments: Any) -> None:
    global _began  # noqa: PLW0603  # Locust's listeners are functions of a module
    _began = time.monotonic()


@events.request.add_listener
def _sample(response_time: float, exception: Exception | None, **_arguments: Any) -> None:
    if time.monotonic() - _began >= _WARM_UP:
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
        "seconds": max(0.0, time.monotonic() - _began - _WARM_UP),
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
