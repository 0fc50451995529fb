"""Buffer log lines and metrics of invocations, and flush them in batches.

An invocation only appends to two lists; one thread converts them to log events and metrics.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localcloud.awslambda.runtime import log_group
from localcloud.core.buffer import Buffer
from localcloud.core.ports import Datum
from localcloud.iam.acting import role_session

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from localcloud.awslambda.model import Function, Version
    from localcloud.core.log_ports import LogDelivery
    from localcloud.core.ports import MetricSink

_Dimensions = tuple[tuple[str, str], ...]
_Series = tuple[str, str, str, _Dimensions, float]
_INTERVAL_SECONDS = 0.1
"""Wall seconds for which log lines and metrics are buffered."""
_MINUTE_SECONDS = 60.0
_UNITS = {"Duration": "Milliseconds"}


@dataclass(frozen=True)
class LogTarget:
    """A function's log stream, and the role with which Lambda writes to it."""

    role: str
    function: str
    region: str
    group: str
    stream: str


@dataclass(frozen=True)
class Observation:
    """The AWS/Lambda metrics of one requested invocation."""

    account: str
    region: str
    function: str
    qualifier: str
    """The requested alias or version; "" for none."""
    executed: str
    """The version that the alias selected; "" without an alias."""
    time: float
    """Cloud time of the request."""
    values: dict[str, float]
    """By metric name."""

    def dimensions(self) -> Iterator[_Dimensions]:
        """Yield the sets of dimensions to count in ("Dimensions for Lambda metrics")."""
        function = ("FunctionName", self.function)
        resource = f"{self.function}:{self.qualifier}" if self.qualifier else self.function
        yield (function,)
        yield (function, ("Resource", resource))
        if self.executed:
            yield (function, ("Resource", resource), ("ExecutedVersion", self.executed))


_Written = tuple[LogTarget, "Sequence[tuple[float, str]]"]


class Telemetry:
    """Buffers log lines and metrics for the logs and cloudwatch services."""

    def __init__(self, logs: LogDelivery, metrics: MetricSink) -> None:
        self._logs = logs
        self._metrics = metrics
        self._buffer: Buffer[_Written | Observation]
        self._buffer = Buffer("functions-telemetry", self._deliver, _INTERVAL_SECONDS)

    def start(self) -> None:
        """Start to flush."""
        self._buffer.start()

    def stop(self) -> None:
        """Flush the rest and stop."""
        self._buffer.stop()

    def flush(self) -> None:
        """Write everything now."""
        self._buffer.flush()

    def log(self, target: LogTarget, lines: Sequence[tuple[float, str]]) -> None:
        """Buffer log lines (cloud time, text); the function's role must allow them."""
        self._buffer.put((target, lines))

    def observe(self, observation: Observation) -> None:
        """Buffer an observation."""
        self._buffer.put(observation)

    def _deliver(self, items: list[_Written | Observation]) -> None:
        lines: defaultdict[LogTarget, list[tuple[float, str]]] = defaultdict(list)
        observations = []
        for item in items:
            if isinstance(item, Observation):
                observations.append(item)
            else:
                lines[item[0]].extend(item[1])
        for target, written in lines.items():
            # As on AWS, lines are dropped without an error if the role may not write them.
            role = role_session(target.role, target.function)
            self._logs.deliver(role, target.region, target.group, target.stream, written)
        for (account, region), data in _aggregated(observations).items():
            self._metrics.put(account, region, "AWS/Lambda", data)


def log_target(function: Function, version: Version, stream: str) -> LogTarget:
    """Return the log stream of a version."""
    group, role = log_group(function, version), version.configuration.role
    return LogTarget(role, function.name, function.region, group, stream)


def _aggregated(observations: list[Observation]) -> dict[tuple[str, str], list[Datum]]:
    """Aggregate observations by account and region, minute and value, as Lambda does."""
    seen: defaultdict[_Series, Counter[float]] = defaultdict(Counter)
    for each in observations:
        minute = each.time // _MINUTE_SECONDS * _MINUTE_SECONDS
        for dimensions in each.dimensions():
            for name, value in each.values.items():
                key = (each.account, each.region, name, dimensions, minute)
                seen[key][value] += 1
    found: defaultdict[tuple[str, str], list[Datum]] = defaultdict(list)
    for (account, region, name, dimensions, minute), counted in seen.items():
        found[account, region].append(
            Datum(
                name,
                dict(dimensions),
                tuple(counted),
                minute,
                _UNITS.get(name, "Count"),
                tuple(float(count) for count in counted.values()),
            )
        )
    return found
