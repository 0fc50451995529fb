"""docs/aws.md: its commands, run from a clone of this checkout against a local cloud."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from console import local_cloud
from console.checkout import Checkout
from console.rehearsal.scratch import Scratch
from pipeline.names import PIPELINE, STACK
from tests.rehearsal.documented import Shell, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.rehearsal

ROOT = Path(__file__).parents[2]
PAGE = blocks((ROOT / "docs" / "aws.md").read_text(encoding="utf-8"))
SUBSTITUTIONS = {
    # Nobody is there to confirm, and this machine's functions are not built for Graviton.
    "cdk deploy Pithead": "cdk deploy Pithead --require-approval never -c bundle=host",
}
EXAMPLE = "222222222222"
"""The account in which the page shows what is done once for each environment's account."""
APPROVAL = """
aws codeconnections create-repository-link --connection-arn "$ARN" \
  --owner-id acme --repository-name pithead
git push --quiet "$(pithead remote)" main
"""
"""What someone does in the console, and GitHub then does with what was pushed to it."""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A clone whose remote `origin` is a repository of a user's own, after `make setup`."""
    folder = tmp_path_factory.mktemp("road")
    checkout = Scratch(Checkout(ROOT), folder / "checkout").checkout
    (checkout.root / ".venv").symlink_to(sys.prefix)
    github = folder / "github.git"
    for command in (
        ["git", "init", "--quiet", "--bare", str(github)],
        ["git", "remote", "set-url", "origin", str(github)],
    ):
        subprocess.run(command, cwd=checkout.root, check=True)
    return checkout


@pytest.fixture(scope="module")
def running(checkout: Checkout) -> Iterator[local_cloud.Running]:
    """A local cloud in which nobody did anything yet."""
    process, running = local_cloud.start(checkout.state, port=0, gateway_port=0, speed=60)
    with process:
        yield running
        process.terminate()


@pytest.fixture(scope="module")
def shell(checkout: Checkout, running: local_cloud.Running) -> Shell:
    """A user's shell in the checkout, after all of steps 1 to 4 that precede prod's release."""
    home = checkout.home()
    others = {each.account for each in checkout.environments().values()} - {home.account}
    [introduction] = PAGE[""]
    shell = Shell(checkout.root, introduction, SUBSTITUTIONS)
    for block in PAGE["Say where"]:
        shell.run(block, home.account)
    for block in PAGE["Bootstrap the accounts"]:
        accounts = sorted(others) if EXAMPLE in block else [home.account]
        for account in accounts:
            shell.run(block.replace(EXAMPLE, account), account)
    connect, available = PAGE["Connect GitHub"]
    shell.run(connect, home.account)
    shell.run(APPROVAL, home.account)
    assert shell.run(available, home.account) == '"AVAILABLE"\n'
    shell.run(PAGE["The first deployment"][0], home.account)
    return shell


def test_the_documented_commands_deploy_the_pipeline(
    shell: Shell, checkout: Checkout, running: local_cloud.Running
) -> None:
    home = checkout.home()
    client: Any = boto3.client
    asked = {
        "endpoint_url": running.endpoint,
        "region_name": home.region,
        "aws_access_key_id": home.account,
        "aws_secret_access_key": running.secret_key,
    }
    [stack] = client("cloudformation", **asked).describe_stacks(StackName=STACK)["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    [execution] = client("codepipeline", **asked).list_pipeline_executions(pipelineName=PIPELINE)[
        "pipelineExecutionSummaries"
    ]
    assert execution["status"] == "InProgress"
    assert "AVAILABLE" in shell.run(PAGE["Connect GitHub"][1], home.account)
