from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from localcloud.awslambda.configuration import RUNTIME
from localcloud.core import confined

ACCOUNT, REGION = "222222222222", "eu-west-1"
SURROUNDINGS = """
import os, sys
def handler(event, context):
    return {
        "environment": dict(os.environ),
        "path": sys.path,
        "here": os.getcwd(),
        "modules": [name for name in event if __import__("importlib.util").util.find_spec(name)],
    }
"""


@pytest.fixture
def surroundings(lambdas: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("HOST_SECRET", "hidden")
    lambdas.create("around", SURROUNDINGS, Environment={"Variables": {"MINE": "1"}}, Timeout=7)
    installed = ["moto", "boto3", "pytest", "localcloud", "awslambdaric", "runtime_client", "json"]
    return lambdas.invoke("around", installed)[1]


def test_a_worker_sees_its_bundle_and_the_runtime(surroundings: Any) -> None:
    assert surroundings["modules"] == ["awslambdaric", "runtime_client", "json"]
    assert surroundings["path"][0] == surroundings["here"]
    assert not any("site-packages" in each for each in surroundings["path"])


def test_a_workers_environment_has_lambdas_variables_and_its_own(
    lambdas: Any, surroundings: Any
) -> None:
    found = surroundings["environment"]
    expected = {
        "MINE": "1",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": lambdas.server.cloud.endpoint,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{RUNTIME}",
        "AWS_LAMBDA_FUNCTION_NAME": "around",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/around",
        "_HANDLER": "app.handler",
        "LAMBDA_TASK_ROOT": surroundings["here"],
        "TZ": ":UTC",
    }
    assert expected.items() <= found.items()
    assert "HOST_SECRET" not in found
    assert "HOME" not in found
    assert "VIRTUAL_ENV" not in found


def test_a_function_calls_aws_as_its_own_role(lambdas: Any, surroundings: Any) -> None:
    key = surroundings["environment"]["AWS_ACCESS_KEY_ID"]
    session = lambdas.server.cloud.credentials.session(key)
    assert session.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/runner/around"
    assert session.environment().items() <= surroundings["environment"].items()


def test_a_function_cannot_write_to_its_bundle(lambdas: Any) -> None:
    lambdas.create(
        "tidy",
        "import os, tempfile\n"
        "def handler(event, context): return [os.listdir(), tempfile.gettempdir()]",
    )
    _, (listed, temporary) = lambdas.invoke("tidy")
    assert listed == ["app.py"]
    assert temporary.startswith(str(lambdas.server.cloud.ledger.folder))


REACHES = """
import os
def tried(what):
    try:
        return what() != b""
    except PermissionError:
        return False
def handler(event, context):
    server, state, tmp = os.getppid(), event["state"], os.environ["TMPDIR"]
    return {
        "environment": tried(lambda: open(f"/proc/{server}/environ", "rb").read()),
        "memory": tried(lambda: open(f"/proc/{server}/mem", "rb").read(1)),
        "ledger": tried(lambda: open(f"{state}/ledger.sqlite", "rb").read()),
        "state": tried(lambda: os.listdir(state)),
        "code": tried(lambda: open("new.py", "w")),
        "home": tried(lambda: os.listdir(event["home"])),
        "others": tried(lambda: os.listdir(os.path.dirname(tmp))),
        "own": tried(lambda: open(f"{tmp}/new", "w").write("x")),
    }
"""


@pytest.mark.skipif(not confined.abi(), reason="needs Landlock")
def test_a_sandbox_cannot_reach_the_local_clouds_files(lambdas: Any) -> None:
    lambdas.create("curious", REACHES)
    event = {"state": str(lambdas.server.cloud.ledger.folder), "home": str(Path.home())}
    _, found = lambdas.invoke("curious", event)
    assert {name for name, reached in found.items() if reached} == {"own"}
