"""Metrics and logs of the data plane, buffered and flushed a few times a second.

See "Amazon API Gateway dimensions and metrics" of the developer guide.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localcloud.apigateway.control import log_role
from localcloud.core.buffer import Buffer
from localcloud.core.ports import Datum
from localcloud.iam.acting import role_session
from localcloud.iam.service_roles import RoleError, check_service_role

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localcloud.apigateway.stage import Route, ServedStage
    from localcloud.core.credentials import Session
    from localcloud.core.log_ports import LogDelivery
    from localcloud.core.ports import MetricSink
    from localcloud.iam.access import Access

_METRIC_PERIOD_SECONDS = 60  # cloud seconds: the resolution of these metrics
_CLIENT_ERROR, _SERVER_ERROR = 4, 5
_NAMESPACE = "AWS/ApiGateway"
_Line = tuple[str, str, str, str, float, str]
"""Account, region, log group, log stream, cloud time, text."""


@dataclass(frozen=True)
class Observation:
    """The result of one request: `at` in cloud time, latencies in wall milliseconds."""

    stage: ServedStage
    route: Route | None
    method: str
    at: float
    status: int
    latency: int
    integration_latency: int | None


class Telemetry:
    """Buffers observations and log lines without blocking, and delivers them."""

    def __init__(self, access: Access, logs: LogDelivery, metrics: MetricSink) -> None:
        self._access = access
        self._logs = logs
        self._metrics = metrics
        self._observations = Buffer("gateway-metrics", self._count)
        self._lines = Buffer("gateway-log", self._write)

    def start(self) -> None:
        """Start to deliver."""
        self._lines.start()
        self._observations.start()

    def stop(self) -> None:
        """Deliver the rest and stop."""
        self._lines.stop()
        self._observations.stop()

    def observe(self, observation: Observation) -> None:
        """Count a request."""
        self._observations.put(observation)

    def log(self, stage: ServedStage, group: str, at: float, text: str) -> None:
        """Write a line to a log group in the stage's account."""
        self._lines.put((stage.account, stage.region, group, stage.log_stream, at, text))

    def _write(self, lines: list[_Line]) -> None:
        written = defaultdict(list)
        for account, region, group, stream, at, text in lines:
            written[account, region, group, stream].append((at, text))
        roles = {place: self._role(*place) for place in {each[:2] for each in written}}
        for (account, region, group, stream), texts in written.items():
            role = roles[account, region]
            if role is not None:
                self._logs.deliver(role, region, group, stream, texts)

    def _role(self, account: str, region: str) -> Session | None:
        """Return a session of the log role, or None if API Gateway cannot assume it.

        If the role is deleted or may not write, AWS serves requests and drops the log
        (aws-cdk#10878, #12769).
        """
        role = log_role(account, region)
        if not role:
            return None
        try:
            check_service_role(self._access, role, "apigateway.amazonaws.com")
        except RoleError:
            return None
        return role_session(role, "BackplaneAssumeRoleSession")

    def _count(self, observations: list[Observation]) -> None:
        grouped: defaultdict[tuple[str, str], list[Observation]] = defaultdict(list)
        for each in observations:
            grouped[each.stage.account, each.stage.region].append(each)
        for (account, region), those in grouped.items():
            self._metrics.put(account, region, _NAMESPACE, data(those))


def data(observations: Iterable[Observation]) -> list[Datum]:
    """Return the metric data of requests: a datum for each metric, dimensions, minute."""
    counted: defaultdict[tuple[str, str, tuple[tuple[str, str], ...], int], Counter[float]]
    counted = defaultdict(Counter)
    times: dict[int, float] = {}
    for each in observations:
        minute = int(each.at // _METRIC_PERIOD_SECONDS)
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
