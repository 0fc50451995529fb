from __future__ import annotations

import io
import json
import threading
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.awslambda.configuration import ARCHITECTURE, RUNTIME
from localcloud.compose import Substitutes
from localcloud.core.delays import NO_DELAYS
from localcloud.server import LocalCloud
from tests.localcloud.fakes import FakeDeployments, FakeMetrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from localcloud.compose import Cloud


ACCOUNT = "222222222222"
REGION = "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/runner"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


class Written:
    """Records the lines written to the logs."""

    def __init__(self, cloud: Cloud) -> None:
        self.lines: list[str] = []
        self._arrived = threading.Condition()
        cloud.logs.subscribe(self._write)

    def _write(
        self, account: str, region: str, group: str, stream: str, lines: Sequence[Any]
    ) -> None:
        with self._arrived:
            self.lines += [f"{group} {stream.partition('[')[2]} {text}" for _, text in lines]
            self._arrived.notify_all()

    def wait_for(self, *parts: str) -> str:
        """Wait for a line that has all the parts."""

        def found() -> list[str]:
            return [line for line in self.lines if all(part in line for part in parts)]

        with self._arrived:
            assert self._arrived.wait_for(lambda: bool(found()), timeout=60), self.lines
            return found()[0]


@dataclass
class Lambdas:
    """A local cloud with functions, and helpers to use them."""

    server: LocalCloud
    client: Any
    metrics: FakeMetrics
    deployments: FakeDeployments
    written: Written

    def zipped(self, source: str) -> bytes:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr(zipfile.ZipInfo("app.py"), source)
        return content.getvalue()

    def create(self, name: str, source: str, **parameters: Any) -> Any:
        made = {
            "FunctionName": name,
            "Runtime": RUNTIME,
            "Architectures": [ARCHITECTURE],
            "Handler": "app.handler",
            "Role": ROLE,
            "Timeout": 30,
            "Code": {"ZipFile": self.zipped(source)},
        }
        return self.client.create_function(**made | parameters)

    def invoke(self, name: str, event: Any = None, **parameters: Any) -> tuple[Any, Any]:
        """Invoke a function; return the answer and its parsed payload."""
        answer = self.client.invoke(FunctionName=name, Payload=json.dumps(event), **parameters)
        payload = answer["Payload"].read()
        return answer, json.loads(payload) if payload else None


SERVICES = ("logs", "sts", "signer", "functions", "cloudformation")


def _lambdas(start: Callable[[Substitutes], LocalCloud]) -> Lambdas:
    metrics, deployments = FakeMetrics(), FakeDeployments()
    server = start(Substitutes(metrics=metrics, deploy=deployments.deploy))
    deployments.aliases = server.cloud.functions
    iam = server.cloud.client("iam", ACCOUNT, REGION)
    if not iam.list_roles()["Roles"]:
        iam.create_role(RoleName="runner", AssumeRolePolicyDocument=json.dumps(TRUST))
    client = server.cloud.client("lambda", ACCOUNT, REGION)
    return Lambdas(server, client, metrics, deployments, Written(server.cloud))


@pytest.fixture
def start(start_cloud: Callable[..., LocalCloud]) -> Callable[..., Lambdas]:
    """Start a separate cloud for a test, with a role for its functions."""

    def started(**options: Any) -> Lambdas:
        return _lambdas(
            lambda substitutes: start_cloud(services=SERVICES, substitutes=substitutes, **options)
        )

    return started


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lambdas]:
    """A cloud for all tests that clean up after themselves."""
    state = tmp_path_factory.mktemp("cloud") / "state"

    def start(substitutes: Substitutes) -> LocalCloud:
        server = LocalCloud(state, services=SERVICES, delays=NO_DELAYS, substitutes=substitutes)
        server.start()
        return server

    lambdas = _lambdas(start)
    yield lambdas
    lambdas.server.stop()


@pytest.fixture
def lambdas(shared: Lambdas) -> Iterator[Lambdas]:
    """The shared cloud, without functions before and after."""
    yield shared
    for function in shared.client.list_functions()["Functions"]:
        shared.client.delete_function(FunctionName=function["FunctionName"])
    shared.server.cloud.functions._telemetry.flush()
    shared.metrics.reset()
    shared.written.lines.clear()
