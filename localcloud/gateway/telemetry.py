"""Metrics and logs of the data plane, gathered on the way and handed on a few times a second.

See "Amazon API Gateway dimensions and metrics" of the developer guide.
"""

from __future__ import annotations

import threading
import traceback
from collections import Counter, defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from localcloud.ports import Datum

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localcloud.cloud import Cloud
    from localcloud.gateway.stage import Route, ServedStage

_EVERY = 0.25  # wall seconds
_PERIOD = 60  # cloud seconds: the resolution of these metrics
_CLIENT_ERROR, _SERVER_ERROR = 4, 5
_NAMESPACE = "AWS/ApiGateway"
T = TypeVar("T")


@dataclass(frozen=True)
class Observation:
    """How one request went: `at` in cloud time, latencies in milliseconds of the wall."""

    stage: ServedStage
    route: Route | None
    method: str
    at: float
    status: int
    latency: int
    integration_latency: int | None


class Telemetry:
    """Takes observations and log lines without waiting; its thread passes them on."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._observations: deque[Observation] = deque()
        self._lines: deque[tuple[str, str, str, str, float, str]] = deque()
        self._something = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gateway-telemetry", daemon=True)

    def start(self) -> None:
        """Begin to pass on."""
        self._thread.start()

    def stop(self) -> None:
        """Pass the rest on and end."""
        self._stopping.set()
        self._something.set()
        if self._thread.is_alive():
            self._thread.join()

    def observe(self, observation: Observation) -> None:
        """Count a request."""
        self._observations.append(observation)
        self._something.set()

    def log(self, stage: ServedStage, group: str, at: float, text: str) -> None:
        """Write a line of a log group of the stage's account."""
        self._lines.append((stage.account, stage.region, group, stage.log_stream, at, text))
        self._something.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._something.wait()
            self._stopping.wait(_EVERY)
            self._something.clear()
            for flush in (self._flush_lines, self._flush_observations):
                try:
                    flush()
                except Exception:  # noqa: BLE001  # what comes next is still to be passed on
                    traceback.print_exc()

    def _flush_lines(self) -> None:
        lines = defaultdict(list)
        for account, region, group, stream, at, text in _drained(self._lines):
            lines[account, region, group, stream].append((at, text))
        for place, written in lines.items():
            self._cloud.logs.write(*place, written)

    def _flush_observations(self) -> None:
        grouped: defaultdict[tuple[str, str], list[Observation]] = defaultdict(list)
        for each in _drained(self._observations):
            grouped[each.stage.account, each.stage.region].append(each)
        for (account, region), observations in grouped.items():
            self._cloud.cloudwatch.put(account, region, _NAMESPACE, data(observations))


def data(observations: Iterable[Observation]) -> list[Datum]:
    """The metric data of some requests: one datum a metric, its dimensions and a minute."""
    counted: defaultdict[tuple[str, str, tuple[tuple[str, str], ...], int], Counter[float]]
    counted = defaultdict(Counter)
    times: dict[int, float] = {}
    for each in observations:
        minute = int(each.at // _PERIOD)
        times.setdefault(minute, each.at)
        values = [
            ("Count", "Count", 1.0),
            ("4XXError", "Count", float(each.status // 100 == _CLIENT_ERROR)),
            ("5XXError", "Count", float(each.status // 100 == _SERVER_ERROR)),
            ("Latency", "Milliseconds", float(each.latency)),
        ]
        if each.integration_latency is not None:
            values.append(("IntegrationLatency", "Milliseconds", float(each.integration_latency)))
        for dimensions in _dimensions(each):
            for name, unit, value in values:
                counted[name, unit, dimensions, minute][value] += 1
    return [
        Datum(
            name,
            dict(dimensions),
            tuple(counts),
            times[minute],
            unit,
            tuple(float(count) for count in counts.values()),
        )
        for (name, unit, dimensions, minute), counts in counted.items()
    ]


def _dimensions(each: Observation) -> list[tuple[tuple[str, str], ...]]:
    api = ("ApiName", each.stage.api_name)
    stage = ("Stage", each.stage.name)
    found: list[tuple[tuple[str, str], ...]] = [(api,), (api, stage)]
    if each.route and each.route.detailed:
        found.append((api, stage, ("Resource", each.route.path), ("Method", each.method)))
    return found


def _drained(queue: deque[T]) -> list[T]:
    return [queue.popleft() for _ in range(len(queue))]
