from __future__ import annotations

import json
import queue
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.compose import Substitutes
from localcloud.core.delays import NO_DELAYS
from localcloud.server import LocalCloud
from tests.localcloud.fakes import FakeBuilds, FakeMetrics, FakePipelines, QueueingFunctions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from localcloud.core.delays import Delays

ACCOUNT, REGION = "222222222222", "eu-west-1"
SERVICES = ("logs", "sts", "cloudformation", "schedules")


class Fakes:
    """What EventBridge receives in place of what it reaches."""

    def __init__(self) -> None:
        self.functions, self.metrics = QueueingFunctions(), FakeMetrics()
        self.pipelines, self.builds = FakePipelines(), FakeBuilds()
        self.substitutes = Substitutes(
            event_functions=self.functions,
            metrics=self.metrics,
            pipelines=self.pipelines,
            builds=self.builds,
        )


def document(*statements: dict[str, Any]) -> str:
    """Return a policy of these statements."""
    stated = [{"Effect": "Allow"} | each for each in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": stated})


class Events:
    """A local cloud with rules and schedules, and fakes of their targets."""

    def __init__(self, server: LocalCloud, fakes: Fakes) -> None:
        self.server = server
        self.cloud = server.cloud
        self.functions, self.metrics = fakes.functions, fakes.metrics
        self.pipelines, self.builds = fakes.pipelines, fakes.builds
        for each in (self.functions, self.metrics, self.pipelines, self.builds):
            each.reset()
        self.events = self.cloud.client("events", ACCOUNT, REGION)
        self.scheduler = self.cloud.client("scheduler", ACCOUNT, REGION)

    def role(self, service: str, *statements: dict[str, Any]) -> str:
        """Create a role that trusts a service, with permissions; return its ARN."""
        iam = self.cloud.client("iam", ACCOUNT, REGION)
        principal = {"Principal": {"Service": f"{service}.amazonaws.com"}}
        with suppress(iam.exceptions.EntityAlreadyExistsException):
            iam.create_role(
                RoleName=service,
                AssumeRolePolicyDocument=document({"Action": "sts:AssumeRole"} | principal),
            )
        if statements:
            iam.put_role_policy(
                RoleName=service, PolicyName="own", PolicyDocument=document(*statements)
            )
        return f"arn:aws:iam::{ACCOUNT}:role/{service}"

    def next(self) -> dict[str, Any]:
        """Return the next invocation of a function."""
        return self.functions.invoked.get(timeout=60)

    def deploy(self, resources: dict[str, Any], name: str = "service") -> dict[str, Any]:
        """Deploy a stack; return it in its final state, with the reasons of its events."""
        client = self.cloud.client("cloudformation", ACCOUNT, REGION)
        exists = any(each["StackName"] == name for each in client.describe_stacks()["Stacks"])
        change = client.update_stack if exists else client.create_stack
        change(StackName=name, TemplateBody=json.dumps({"Resources": resources}))
        stack = self._settled(name)
        assert stack is not None
        events = client.describe_stack_events(StackName=name)["StackEvents"]
        stack["Reasons"] = [each.get("ResourceStatusReason", "") for each in events]
        return stack

    def delete(self, name: str = "service") -> None:
        """Delete a stack and wait until it is gone."""
        self.cloud.client("cloudformation", ACCOUNT, REGION).delete_stack(StackName=name)
        assert self._settled(name) is None

    def _settled(self, name: str) -> dict[str, Any] | None:
        """Return the stack if no operation is in progress; None if it does not exist."""
        client = self.cloud.client("cloudformation", ACCOUNT, REGION)
        told: queue.SimpleQueue[Any] = queue.SimpleQueue()
        unsubscribe = self.cloud.bus.subscribe(told.put)
        while True:
            stacks = client.describe_stacks()["Stacks"]
            found = next((each for each in stacks if each["StackName"] == name), None)
            if found is None or not found["StackStatus"].endswith("IN_PROGRESS"):
                unsubscribe()
                return found
            told.get(timeout=60)

    def advance(self, seconds: float) -> None:
        """Advance cloud time immediately."""
        self.cloud.clock._origin += seconds
        self.cloud.schedules._timer._changed.set()

    def close(self) -> None:
        """Delete all rules and schedules; their deliveries do not reach the next test."""
        for rule in list(self.cloud.schedules.rules.values()):
            self.cloud.schedules.delete_rule(rule.account, rule.region, rule.name)
        for each in list(self.cloud.schedules.schedules.values()):
            self.cloud.schedules.delete_schedule(each.account, each.region, each.name)
        passed = threading.Event()
        self.cloud.schedules._timer.at(0.0, passed.set)  # after the events in progress
        assert passed.wait(60)
        while self.cloud.ledger.all("schedules:delivery"):
            threading.Event().wait(0.01)


@pytest.fixture(scope="module")
def fakes() -> Fakes:
    """The fakes of the module's server."""
    return Fakes()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, fakes: Fakes) -> Iterator[LocalCloud]:
    """One local cloud for a module's tests; a cloud minute takes 0.1 s."""
    made = LocalCloud(
        tmp_path_factory.mktemp("state"),
        services=SERVICES,
        speed=600,
        delays=NO_DELAYS,
        substitutes=fakes.substitutes,
    )
    made.start()
    yield made
    made.stop()


@pytest.fixture
def reached(server: LocalCloud, fakes: Fakes) -> Iterator[Events]:
    made = Events(server, fakes)
    for service in ("events", "scheduler"):
        made.role(service)
    yield made
    made.close()


@pytest.fixture
def start() -> Iterator[Callable[..., Events]]:
    """Start clouds on a state folder, with fakes installed before the start."""
    started: list[LocalCloud] = []

    def start(state: Path, delays: Delays = NO_DELAYS) -> Events:
        fakes = Fakes()
        server = LocalCloud(
            state,
            services=("logs", "schedules"),
            speed=600,
            delays=delays,
            substitutes=fakes.substitutes,
        )
        started.append(server)
        made = Events(server, fakes)
        server.start()
        for service in ("events", "scheduler"):
            made.role(service)
        return made

    yield start
    for server in started:
        if server.running:
            server.stop()
