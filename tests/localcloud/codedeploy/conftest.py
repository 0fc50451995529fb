from __future__ import annotations

import itertools
import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.compose import Substitutes
from localcloud.core.delays import NO_DELAYS
from localcloud.core.ports import AliasDeployment
from localcloud.iam.service_roles import RoleError
from localcloud.server import LocalCloud
from tests.localcloud.fakes import LONG, FakeAlarms, FakeAlias, RegionalAlarms, RegionalAliases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from localcloud.core.bus import Event
    from localcloud.iam.access import Access, Mode

ACCOUNT = "222222222222"
# Each test has its own region, because moto needs a third of a second for a new account.
REGIONS = (f"test-{number}" for number in itertools.count(1))
ROLES: set[str] = set()  # that exist and trust CodeDeploy


GUARDED = {
    "alarmConfiguration": {"enabled": True, "alarms": [{"name": "failures"}, {"name": "slow"}]},
    "autoRollbackConfiguration": {
        "enabled": True,
        "events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"],
    },
}


@dataclass
class Heard:
    """Records the events of the bus."""

    events: list[Event] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def __call__(self, event: Event) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def states(self, deployment_id: str) -> list[str]:
        return [
            each.detail["state"]
            for each in self.events
            if each.source == "aws.codedeploy" and each.detail["deploymentId"] == deployment_id
        ]

    def await_state(self, deployment_id: str, state: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: state in self.states(deployment_id), LONG), (
                self.states(deployment_id)
            )

    def await_shift(self, region: str) -> None:
        """Wait for the event of a shift, which follows its record."""
        with self._changed:
            assert self._changed.wait_for(
                lambda: any((e.source, e.region) == ("aws.lambda", region) for e in self.events),
                LONG,
            )


class Faked:
    """A local cloud with CodeDeploy, in each region an alias and alarms that a scene gives."""

    def __init__(self, state: Path, speed: float, iam: Mode = "soft") -> None:
        self.aliases, self.alarms = RegionalAliases(), RegionalAlarms()
        self.server = LocalCloud(
            state,
            speed=speed,
            services=("codedeploy",),
            iam=iam,
            delays=NO_DELAYS,
            substitutes=Substitutes(aliases=self.aliases, alarms=self.alarms),
        )


class Scene:
    """A local cloud with CodeDeploy, an application and its groups."""

    guarded = GUARDED
    account = ACCOUNT

    def __init__(self, faked: Faked, functions: FakeAlias, region: str) -> None:
        self.server, self.cloud, self.functions = faked.server, faked.server.cloud, functions
        self.region = region
        self.alarms = FakeAlarms(self.cloud.bus, ACCOUNT, region)
        faked.aliases.regions[region] = functions
        faked.alarms.regions[region] = self.alarms
        self.heard = Heard()
        self._unsubscribe = self.cloud.bus.subscribe(self.heard)
        self.alarms.set("failures", "OK")
        self.alarms.set("slow", "OK")
        self.client = self.cloud.client("codedeploy", ACCOUNT, region)
        self.role_arn = f"arn:aws:iam::{ACCOUNT}:role/deployer-{region}"

    @staticmethod
    def app_spec(**hooks: str) -> str:
        return json.dumps(
            {
                "version": 0.0,
                "Resources": [
                    {
                        "files": {
                            "Type": "AWS::Lambda::Function",
                            "Properties": {
                                "Name": "files",
                                "Alias": "live",
                                "CurrentVersion": "1",
                                "TargetVersion": "2",
                            },
                        }
                    }
                ],
                "Hooks": [{name: function} for name, function in hooks.items()],
            }
        )

    @staticmethod
    def canary(percent: int = 10, minutes: int = 5) -> dict[str, Any]:
        return {
            "type": "TimeBasedCanary",
            "timeBasedCanary": {"canaryPercentage": percent, "canaryInterval": minutes},
        }

    @staticmethod
    def linear(percent: int, minutes: int) -> dict[str, Any]:
        return {
            "type": "TimeBasedLinear",
            "timeBasedLinear": {"linearPercentage": percent, "linearInterval": minutes},
        }

    def request(self, **changes: Any) -> AliasDeployment:
        return AliasDeployment(
            **{
                "account": ACCOUNT,
                "region": self.region,
                "application": "files",
                "deployment_group": "prod",
                "function": "files",
                "alias": "live",
                "current_version": "1",
                "target_version": "2",
            }
            | changes
        )

    def stop_deployments(self) -> None:
        """Stop all deployments of this test."""
        for deployment in self.cloud.codedeploy.deployments.of(ACCOUNT, self.region):
            if run := self.cloud.codedeploy.run(deployment.id):
                run.abandon()
        self._unsubscribe()

    def role(self) -> str:
        """Create the service role of CodeDeploy."""
        ROLES.add(self.role_arn)
        return self.role_arn

    def group(self, routing: dict[str, Any], **settings: Any) -> None:
        """Create the group `prod` of application `files`, with its own configuration."""
        self.client.create_application(applicationName="files", computePlatform="Lambda")
        self.client.create_deployment_config(
            deploymentConfigName="shift", computePlatform="Lambda", trafficRoutingConfig=routing
        )
        self.client.create_deployment_group(
            applicationName="files",
            deploymentGroupName="prod",
            serviceRoleArn=self.role(),
            deploymentConfigName="shift",
            deploymentStyle={
                "deploymentType": "BLUE_GREEN",
                "deploymentOption": "WITH_TRAFFIC_CONTROL",
            },
            **settings,
        )

    def begin(self, **settings: Any) -> str:
        """Deploy version 2 in place of version 1 with the API."""
        content = settings.pop("content", None) or self.app_spec(**settings.pop("hooks", {}))
        made = self.client.create_deployment(
            applicationName="files",
            deploymentGroupName="prod",
            revision={"revisionType": "AppSpecContent", "appSpecContent": {"content": content}},
            **settings,
        )
        return str(made["deploymentId"])

    def info(self, deployment_id: str) -> dict[str, Any]:
        found = self.client.get_deployment(deploymentId=deployment_id)["deploymentInfo"]
        return dict(found)

    def target(self, deployment_id: str) -> dict[str, Any]:
        found = self.client.get_deployment_target(deploymentId=deployment_id, targetId="files:live")
        return dict(found["deploymentTarget"]["lambdaTarget"])

    def await_end(self, deployment_id: str) -> dict[str, Any]:
        """Wait for the deployment and its rollback, and return it."""
        run = self.cloud.codedeploy.run(deployment_id)
        assert run is None or run.done.wait(LONG)
        return self.info(deployment_id)


@pytest.fixture(autouse=True)
def fake_roles(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Fake the roles (IAM costs moto half a second), unless a test uses `real_roles`."""
    ROLES.clear()

    def assume(_access: Access, role_arn: str, service: str, _name: str) -> None:
        assert service == "codedeploy.amazonaws.com"
        if role_arn not in ROLES:
            raise RoleError(f"{role_arn} does not exist")

    if "real_roles" not in request.fixturenames:
        monkeypatch.setattr("localcloud.codedeploy.registry.assume_service_role", assume)
        monkeypatch.setattr(
            "localcloud.codedeploy.permissions.check_service_role",
            lambda access, role, service: assume(access, role, service, ""),
        )


@pytest.fixture
def real_roles() -> None:
    """Use moto's IAM roles."""


@pytest.fixture
def make_functions() -> type[FakeAlias]:
    """Create fakes of Lambda with a given routing of the alias."""
    return FakeAlias


@pytest.fixture(scope="session")
def clouds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[float], Faked]]:
    """One local cloud per speed, shared because moto needs half a second to start."""
    running: dict[float, Faked] = {}

    def at(speed: float) -> Faked:
        if speed not in running:
            folder = tmp_path_factory.mktemp("state")
            running[speed] = Faked(folder, speed)
            running[speed].server.start()
        return running[speed]

    yield at
    for faked in running.values():
        faked.server.stop()


@pytest.fixture
def make_scene(clouds: Callable[[float], Faked]) -> Iterator[Callable[..., Scene]]:
    """Create a scene at a speed in a new region; alarms `failures` and `slow` are OK."""
    made: list[Scene] = []

    def make(speed: float = 6000.0) -> Scene:
        made.append(Scene(clouds(speed), FakeAlias(), next(REGIONS)))
        return made[-1]

    yield make
    for scene in made:
        scene.stop_deployments()


@pytest.fixture
def open_scene() -> Iterator[Callable[..., Scene]]:
    """Create a scene from an existing state folder and functions; stop it at the end."""
    opened: list[LocalCloud] = []

    def open_(state: Path, functions: FakeAlias, speed: float = 6000.0) -> Scene:
        faked = Faked(state, speed)
        scene = Scene(faked, functions, "eu-west-1")
        faked.server.start()
        opened.append(faked.server)
        return scene

    yield open_
    for server in opened:
        if server.running:
            server.stop()
