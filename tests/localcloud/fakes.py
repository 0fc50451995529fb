"""Fakes of the ports between services of the local cloud, one for each port."""

from __future__ import annotations

import json
import queue
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from localcloud.core.ports import (
    AlarmState,
    AliasDeployment,
    BuildNotStartedError,
    DeploymentFailedError,
    Invocation,
    Routing,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from localcloud.core.bus import EventBus
    from localcloud.core.delivery_ports import BuildStarter, PipelineStarter
    from localcloud.core.function_ports import (
        AliasRouter,
        Deployer,
        EventFunctions,
        FunctionInvoker,
    )
    from localcloud.core.ports import AlarmStates, BuildRequest, Datum, MetricSink

LONG = 60.0
"""Wall seconds after which a wait fails."""


class AnsweringFunctions:
    """Functions with synchronous invocations: `answer` returns an event's response."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.invoked: list[tuple[Any, ...]] = []
        self.allowed = True
        self.asked: list[dict[str, Any]] = []
        self.answer: Callable[[dict[str, Any]], Any] = lambda _event: {"statusCode": 200}

    def invoke(
        self,
        account: str,
        region: str,
        function: str,
        qualifier: str | None,
        payload: bytes,
        *,
        trace: str = "",
    ) -> Invocation:
        event = json.loads(payload)
        self.events.append(event)
        self.invoked.append((account, region, function, qualifier, trace))
        answered = self.answer(event)
        if isinstance(answered, Invocation):
            return answered
        return Invocation(json.dumps(answered).encode(), None, "1")

    def allows(
        self,
        account: str,
        region: str,
        function: str,
        qualifier: str | None,
        *,
        principal: str,
        source_arn: str,
    ) -> bool:
        self.asked.append(
            {
                "function": (account, region, function, qualifier),
                "principal": principal,
                "source_arn": source_arn,
            }
        )
        return self.allowed


class QueueingFunctions:
    """Functions with asynchronous invocations; `fail` raises the error of an attempt."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.invoked: queue.Queue[dict[str, Any]] = queue.Queue()
        self.asked: list[tuple[Any, ...]] = []
        self.allowed = True
        self.fail: Callable[[], None] = lambda: None

    def queue(self, arn: str, payload: bytes) -> None:
        self.fail()
        _, _, _, region, account, _, name, *qualifier = arn.split(":")
        function = (account, region, name, qualifier[0] if qualifier else None)
        self.invoked.put({"function": function, "payload": json.loads(payload)})

    def allows(
        self,
        account: str,
        region: str,
        function: str,
        qualifier: str | None,
        *,
        principal: str,
        source_arn: str,
    ) -> bool:
        self.asked.append((account, region, function, qualifier, principal, source_arn))
        return self.allowed


VERSION_1 = Routing("1")


class FakeAlias:
    """A fake of Lambda with one alias, and with hooks that a test defines."""

    def __init__(self, routing: Routing = VERSION_1) -> None:
        self.history: list[Routing] = [routing]
        self.hooks: dict[str, Callable[[dict[str, str]], Invocation]] = {}
        self.failing: Exception | None = None
        self._changed = threading.Condition()

    def routing(self, account: str, region: str, function: str, alias: str) -> Routing:
        assert (function, alias) == ("files", "live"), (account, region)
        return self.history[-1]

    def route(self, account: str, region: str, function: str, alias: str, routing: Routing) -> None:
        assert (function, alias) == ("files", "live"), (account, region)
        if self.failing:
            raise self.failing
        with self._changed:
            self.history.append(routing)
            self._changed.notify_all()

    def invoke(
        self, account: str, region: str, function: str, qualifier: str | None, payload: bytes
    ) -> Invocation:
        assert qualifier is None, (account, region)
        return self.hooks[function](json.loads(payload))

    def await_routing(self, routing: Routing) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.history[-1] == routing, LONG)


@dataclass
class RegionalAliases:
    """The fake alias of each region."""

    regions: dict[str, FakeAlias] = field(default_factory=dict)

    def routing(self, account: str, region: str, function: str, alias: str) -> Routing:
        return self.regions[region].routing(account, region, function, alias)

    def route(self, account: str, region: str, function: str, alias: str, routing: Routing) -> None:
        self.regions[region].route(account, region, function, alias, routing)

    def invoke(
        self, account: str, region: str, function: str, qualifier: str | None, payload: bytes
    ) -> Invocation:
        return self.regions[region].invoke(account, region, function, qualifier, payload)


class FakeAlarms:
    """Alarms of one account and region that a test sets; the bus publishes changes."""

    def __init__(self, bus: EventBus, account: str, region: str) -> None:
        self._bus = bus
        self._place = (account, region)
        self.states: dict[str, AlarmState] = {}

    def set(self, name: str, value: Any, reason: str = "a test said so") -> None:
        self.states[name] = AlarmState(value, reason, 0.0)
        kind = "CloudWatch Alarm State Change"
        self._bus.publish(*self._place, "aws.cloudwatch", kind, {"alarmName": name})

    def alarm_states(
        self, account: str, region: str, names: Iterable[str]
    ) -> dict[str, AlarmState]:
        assert (account, region) == self._place
        return {name: self.states[name] for name in names if name in self.states}


@dataclass
class RegionalAlarms:
    """The fake alarms of each region."""

    regions: dict[str, FakeAlarms] = field(default_factory=dict)

    def alarm_states(
        self, account: str, region: str, names: Iterable[str]
    ) -> dict[str, AlarmState]:
        found = self.regions.get(region)
        return found.alarm_states(account, region, names) if found else {}


class FakeMetrics:
    """Stores metric data; metric names belong to one namespace."""

    def __init__(self) -> None:
        self.data: list[Datum] = []
        self.arrived = threading.Condition()

    def reset(self) -> None:
        with self.arrived:
            self.data.clear()

    def put(self, account: str, region: str, namespace: str, data: Sequence[Datum]) -> None:
        assert namespace.startswith("AWS/"), (account, region)
        with self.arrived:
            self.data += data
            self.arrived.notify_all()

    def total(self, name: str, **dimensions: str) -> float:
        """Return the current sum of a metric."""
        return sum(
            value * count
            for datum in self._of(name, dimensions)
            for value, count in zip(datum.values, datum.counts, strict=True)
        )

    def wait_for(self, total: float, name: str, **dimensions: str) -> None:
        """Wait until the sum of a metric reaches a total."""
        with self.arrived:
            reached = self.arrived.wait_for(lambda: self.total(name, **dimensions) >= total, LONG)
            assert reached, self.data
            assert self.total(name, **dimensions) == total, self.data

    def total_of(self, count: float, name: str, **dimensions: str) -> float:
        """Return the sum of a metric once it has been observed `count` times."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: self._count(name, dimensions) >= count, LONG)
            return self.total(name, **dimensions)

    def _count(self, name: str, dimensions: dict[str, str]) -> float:
        return sum(sum(datum.counts) for datum in self._of(name, dimensions))

    def _of(self, name: str, dimensions: dict[str, str]) -> list[Datum]:
        return [each for each in self.data if (each.name, each.dimensions) == (name, dimensions)]


class FakeBuild:
    """A build that succeeded."""

    id, status, reason = "build", "SUCCEEDED", ""

    def __init__(self) -> None:
        self.exported: dict[str, str] = {}

    def set_when_complete(self, ended: threading.Event) -> None:
        ended.set()


class FakeBuilds:
    """Builds of every project except `missing`."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.started: queue.Queue[BuildRequest] = queue.Queue()

    def start_build(self, request: BuildRequest) -> FakeBuild:
        if request.project == "missing":
            raise BuildNotStartedError("ResourceNotFoundException", "Project cannot be found")
        self.started.put(request)
        return FakeBuild()


class FakePipelines:
    """One pipeline, `delivery`."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.begun: queue.Queue[tuple[str, str]] = queue.Queue()

    def start_execution(self, account: str, region: str, pipeline: str, trigger: str) -> bool:
        assert account, region
        if pipeline != "delivery":
            return False
        self.begun.put((pipeline, trigger))
        return True


class FakeDeployments:
    """Deployments that shift at once, or fail.

    `aliases` is set when the cloud is composed.
    """

    aliases: AliasRouter

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.deployments: list[AliasDeployment] = []
        self.failure = ""
        self.compares = True

    def deploy(self, deployment: AliasDeployment, cancel: threading.Event) -> None:
        assert not cancel.is_set()
        self.deployments.append(deployment)
        place = (deployment.account, deployment.region, deployment.function, deployment.alias)
        routing = self.aliases.routing(*place)
        assert not self.compares or routing == Routing(deployment.current_version)
        if self.failure:
            raise DeploymentFailedError(self.failure)
        self.aliases.route(*place, Routing(deployment.target_version))


if TYPE_CHECKING:

    def _made_up() -> FakeAlarms: ...

    _functions: FunctionInvoker = AnsweringFunctions()
    _event_functions: EventFunctions = QueueingFunctions()
    _aliases: tuple[AliasRouter, AliasRouter] = (FakeAlias(), RegionalAliases())
    _alarms: tuple[AlarmStates, AlarmStates] = (_made_up(), RegionalAlarms())
    _metrics: MetricSink = FakeMetrics()
    _builds: BuildStarter = FakeBuilds()
    _pipelines: PipelineStarter = FakePipelines()
    _deploy: Deployer = FakeDeployments().deploy
