"""The real CDK CLI as the client."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from console.local.toolchain import install

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.server import LocalCloud

ACCOUNT, REGION = "111111111111", "eu-west-1"
_ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def program() -> Path:
    folder: Path = install(_ROOT / ".cache" / "cdk").folder
    return folder / "node_modules" / "aws-cdk" / "bin" / "cdk"


@pytest.fixture
def cdk(program: Path, cloud: LocalCloud, tmp_path: Path) -> Callable[..., str]:
    """Runs the CLI against the cloud with an app of one stack; returns its output."""

    def run(*arguments: str, fails: bool = False, **resources: Any) -> str:
        app = tmp_path / "app"
        app.mkdir(exist_ok=True)
        (app / "App.template.json").write_text(json.dumps({"Resources": resources}))
        artifact = {
            "type": "aws:cloudformation:stack",
            "environment": f"aws://{ACCOUNT}/{REGION}",
            "properties": {"templateFile": "App.template.json"},
        }
        (app / "manifest.json").write_text(
            json.dumps({"version": "36.0.0", "artifacts": {"App": artifact}})
        )
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("AWS_")
        } | {
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": cloud.cloud.credentials.secret_key,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": cloud.cloud.endpoint,
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            "HOME": str(tmp_path),
            "PATH": f"{_ROOT}/.venv/bin:{os.environ['PATH']}",
        }
        done = subprocess.run(
            [program, *arguments, "--app", str(app), "--no-notices", "--no-color"],
            cwd=tmp_path,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert (done.returncode != 0) is fails, done.stdout
        return done.stdout

    return run


def test_bootstrap_deploy_fail_and_destroy(cdk: Any, client: Any, world: Any) -> None:
    def thing(value: str, **more: Any) -> dict[str, Any]:
        return {"Type": "Test::World::Thing", "Properties": {"Value": value}, **more}

    def status() -> str:
        return str(client.describe_stacks(StackName="App")["Stacks"][0]["StackStatus"])

    assert "bootstrapped" in cdk("bootstrap", f"aws://{ACCOUNT}/{REGION}")
    first = {"A": thing("x"), "B": thing("y"), "Q": {"Type": "AWS::SQS::Queue"}}
    deploy = ("deploy", "--require-approval", "never", "--progress", "events")
    assert "CREATE_COMPLETE" in cdk(*deploy, **first)
    assert status() == "CREATE_COMPLETE"
    assert "no changes" in cdk(*deploy, **first)

    keyed = first | {"A": {"Type": "Test::World::Thing", "Properties": {"Key": "k"}}}
    assert "replace" in cdk("diff", **keyed)
    assert status() == "CREATE_COMPLETE"

    before = dict(world.exists)
    said = cdk(*deploy, fails=True, **first | {"A": thing("z"), "B": thing("bad", DependsOn="A")})
    assert "UPDATE_FAILED" in said
    assert "a bad value" in said
    assert status() == "UPDATE_ROLLBACK_COMPLETE"
    assert world.exists == before

    cdk("destroy", "--force", **first)
    assert world.exists == {}
    with pytest.raises(client.exceptions.ClientError, match="Stack with id App does not exist"):
        status()


def test_a_failed_creation_is_explained_and_can_be_redeployed(
    cdk: Any, client: Any, world: Any
) -> None:
    deploy = ("deploy", "--require-approval", "never")
    bad = {"Type": "Test::World::Thing", "Properties": {"Value": "bad"}}
    assert "a bad value" in cdk(*deploy, fails=True, A=bad)
    stack = client.describe_stacks(StackName="App")["Stacks"][0]
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    cdk(*deploy, A={"Type": "Test::World::Thing", "Properties": {"Value": "good"}})
    assert [each["Value"] for each in world.exists.values()] == ["good"]
