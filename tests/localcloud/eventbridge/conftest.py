from __future__ import annotations

import json
import queue
import threading
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.core.delays import NO_DELAYS
from localcloud.core.ports import BuildNotStartedError, Invocation
from localcloud.server import LocalCloud

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from localcloud.core.delays import Delays
    from localcloud.core.ports import BuildRequest, Datum

ACCOUNT, REGION = "222222222222", "eu-west-1"
SERVICES = ("logs", "sts", "cloudformation", "schedules")


class FakeFunctions:
    """The functions service at its port; `fail` raises what it should for an attempt."""

    def __init__(self) -> None:
        self.invoked: queue.Queue[dict[str, Any]] = queue.Queue()
        self.asked: list[tuple[Any, ...]] = []
        self.allowed = True
        self.fail: Callable[[], None] = lambda: None

    def invoke(
        self,
        account: str,
        region: str,
        function: str,
        qualifier: str | None,
        payload: bytes,
        *,
        invocation_type: str,
    ) -> Invocation:
        self.fail()
        self.invoked.put(
            {
                "function": (account, region, function, qualifier),
                "type": invocation_type,
                "payload": json.loads(payload),
            }
        )
        return Invocation(b"", None, "1")

    def policy(self, *_function: str) -> list[dict[str, Any]]:
        return []

    def allows(
        self,
        account: str,
        region: str,
        function: str,
        qualifier: str | None,
        principal: str,
        source_arn: str,
    ) -> bool:
        self.asked.append((account, region, function, qualifier, principal, source_arn))
        return self.allowed


class FakeCloudWatch:
    """Keeps what was put."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, str], float] = {}
        self._changed = threading.Condition()

    def put(self, _account: str, _region: str, namespace: str, data: list[Datum]) -> None:
        with self._changed:
            for datum in data:
                assert namespace == "AWS/Events"
                key = (datum.name, datum.dimensions["RuleName"])
                self._sums[key] = self._sums.get(key, 0) + sum(datum.counts)
            self._changed.notify_all()

    def counted(self, name: str, rule: str) -> float:
        """The sum of a metric of a rule by now."""
        with self._changed:
            return self._sums.get((name, rule), 0.0)

    def reaches(self, name: str, rule: str, count: float) -> bool:
        """Wait until a metric of a rule sums up to `count`."""
        with self._changed:
            return self._changed.wait_for(lambda: self._sums.get((name, rule), 0) >= count, 60)


class FakePipelines:
    """CodePipeline, as far as a target reaches it."""

    def __init__(self) -> None:
        self.pipelines = {f"{ACCOUNT}/{REGION}/delivery": SimpleNamespace(name="delivery")}
        self.begun: queue.Queue[tuple[str, str]] = queue.Queue()

    def begin(self, pipeline: Any, trigger: str) -> None:
        self.begun.put((pipeline.name, trigger))


class FakeBuilds:
    """CodeBuild, as far as a target reaches it."""

    def __init__(self) -> None:
        self.started: queue.Queue[BuildRequest] = queue.Queue()

    def start_build(self, request: BuildRequest) -> None:
        if request.project == "missing":
            raise BuildNotStartedError("ResourceNotFoundException", "Project cannot be found")
        self.started.put(request)


def document(*statements: dict[str, Any]) -> str:
    """A policy of these statements."""
    stated = [{"Effect": "Allow"} | each for each in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": stated})


class Events:
    """A local cloud with rules and schedules, and fakes of what they reach."""

    def __init__(self, server: LocalCloud) -> None:
        self.server = server
        self.cloud = server.cloud
        self.functions, self.pipelines = FakeFunctions(), FakePipelines()
        self.builds, self.cloudwatch = FakeBuilds(), FakeCloudWatch()
        self.cloud.functions = self.functions  # type: ignore[assignment]  # a fake at the port
        self.cloud.codepipeline = self.pipelines  # type: ignore[assignment]  # a fake at the port
        self.cloud.codebuild = self.builds  # type: ignore[assignment]  # a fake at the port
        self.cloud.cloudwatch = self.cloudwatch  # type: ignore[assignment]  # a fake at the port
        self.events = self.cloud.client("events", ACCOUNT, REGION)
        self.scheduler = self.cloud.client("scheduler", ACCOUNT, REGION)

    def role(self, service: str, *statements: dict[str, Any]) -> str:
        """The role of a service's name, which trusts it and may do this; its ARN."""
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
        """The next invocation of a function."""
        return self.functions.invoked.get(timeout=60)

    def deploy(self, resources: dict[str, Any], name: str = "service") -> dict[str, Any]:
        """Bring a stack to these resources; the stack as it ended, with its events' reasons."""
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
        """The stack, once nothing is under way in it; None: it is gone."""
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
        """Let cloud time pass at once."""
        self.cloud.clock._origin += seconds
        self.cloud.schedules._timer._changed.set()

    def close(self) -> None:
        """Delete all rules and schedules; what they have set off does not reach the next test."""
        for rule in list(self.cloud.schedules.rules.values()):
            self.cloud.schedules.delete_rule(rule.account, rule.region, rule.name)
        for each in list(self.cloud.schedules.schedules.values()):
            self.cloud.schedules.delete_schedule(each.account, each.region, each.name)
        passed = threading.Event()
        self.cloud.schedules._timer.at(0.0, passed.set)  # behind what is being fired
        assert passed.wait(60)
        while self.cloud.ledger.all("schedules:delivery"):
            threading.Event().wait(0.01)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """One local cloud for a module's tests; a minute of it lasts a tenth of a second."""
    made = LocalCloud(
        tmp_path_factory.mktemp("state"), services=SERVICES, speed=600, delays=NO_DELAYS
    )
    made.start()
    yield made
    made.stop()


@pytest.fixture
def reached(server: LocalCloud) -> Iterator[Events]:
    made = Events(server)
    for service in ("events", "scheduler"):
        made.role(service)
    yield made
    made.close()


@pytest.fixture
def start() -> Iterator[Callable[..., Events]]:
    """Starts clouds on a state folder, their fakes in place before anything is taken up."""
    started: list[LocalCloud] = []

    def start(state: Path, delays: Delays = NO_DELAYS) -> Events:
        server = LocalCloud(state, services=("logs", "schedules"), speed=600, delays=delays)
        started.append(server)
        made = Events(server)
        server.start()
        for service in ("events", "scheduler"):
            made.role(service)
        return made

    yield start
    for server in started:
        if server.running:
            server.stop()
