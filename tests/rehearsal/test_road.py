"""docs/aws.md: its commands, run from a clone against a local cloud.

All environments are in the tooling account, prod in another region: one run covers the commands,
a shared account, and two regions.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import requests

from console.checkout import Checkout
from console.local import local_cloud
from console.rehearsal.scratch import Scratch
from pipeline.names import STACK, service_stack, support_stack
from tests.rehearsal.documented import Shell, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.rehearsal

ROOT = Path(__file__).parents[2]
PAGE = blocks((ROOT / "docs" / "aws.md").read_text(encoding="utf-8"))
SUBSTITUTIONS = {
    # No one can confirm, and this machine's functions are not built for Graviton.
    "cdk deploy Pithead": "cdk deploy Pithead --require-approval never -c bundle=host",
}
EXAMPLE = "222222222222"
"""The account of the page's commands for accounts besides the tooling account."""
PROD_REGION = "us-east-1"
PROD_STACK = "prod-files"
"""The stack that the page uses to show a deletion."""
_LOG_SECONDS = 60.0
_POLL_SECONDS = 0.5
APPROVAL = """
aws codeconnections create-repository-link --connection-arn "$ARN" \
  --owner-id acme --repository-name pithead
git push --quiet "$(pithead remote)" main
"""
"""What someone does in the console, and GitHub then does with what was pushed to it."""
DELIVERY = """
ID=$(aws codepipeline list-pipeline-executions --pipeline-name pithead \
  --query 'pipelineExecutionSummaries[0].pipelineExecutionId' --output text)
aws codepipeline stop-pipeline-execution --pipeline-name pithead --abandon \
  --pipeline-execution-id "$ID"
cdk deploy --app cdk.out --require-approval never 'Pithead/*/files'
"""
"""The stacks that the new pipeline delivers, by CDK's own CLI: the acts show the pipeline."""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A clone after `make setup` and the edits of step 1, its remote a user's own repository."""
    folder = tmp_path_factory.mktemp("road")
    checkout = Scratch(Checkout(ROOT), folder / "checkout").checkout
    (checkout.root / ".venv").symlink_to(sys.prefix)
    for file in (checkout.root / "environments").glob("*.toml"):
        text = file.read_text(encoding="utf-8")
        here = f'account = "{checkout.home().account}"'
        text = re.sub(r'^account = "\d+"', here, text, flags=re.MULTILINE)
        if file.stem == "prod":
            text = re.sub(r'^region = ".+"', f'region = "{PROD_REGION}"', text, flags=re.MULTILINE)
        file.write_text(text)
    github = folder / "github.git"
    author = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    for command in (
        ["git", *author, "commit", "--quiet", "--all", "--message", "Use one account"],
        ["git", "init", "--quiet", "--bare", str(github)],
        ["git", "remote", "set-url", "origin", str(github)],
    ):
        subprocess.run(command, cwd=checkout.root, check=True)
    return checkout


@pytest.fixture(scope="module")
def running(checkout: Checkout) -> Iterator[local_cloud.LocalCloud]:
    """A new local cloud without resources."""
    process, running = local_cloud.start(checkout.state, port=0, gateway_port=0, speed=60)
    with process:
        yield running
        process.terminate()


@pytest.fixture(scope="module")
def shell(checkout: Checkout, running: local_cloud.LocalCloud) -> Shell:
    """A user's shell in the checkout, after steps 1 to 4."""
    account, region = checkout.home().account, checkout.home().region
    [introduction] = PAGE[""]
    shell = Shell(checkout.root, introduction, SUBSTITUTIONS)
    for block in PAGE["Say where"]:
        shell.run(block, account, region)
    tooling, others, _list, _narrow, preflight = PAGE["Bootstrap the accounts"]
    shell.run(tooling, account, region)
    shell.run(tooling.replace(region, PROD_REGION), account, PROD_REGION)
    # Nothing is deployed in the other account, whose bootstrap is also on the page.
    shell.run(others, EXAMPLE, region)
    shell.run(preflight, account, region)
    connect, available = PAGE["Connect GitHub"]
    shell.run(connect, account, region)
    shell.run(APPROVAL, account, region)
    assert shell.run(available, account, region) == '"AVAILABLE"\n'
    # A rehearsal follows releases; the last block is for a failed deployment.
    deploy, _follow, protect, _repair = PAGE["The first deployment"]
    shell.run(deploy, account, region)
    shell.run(DELIVERY, account, region)
    shell.run(protect, account, PROD_REGION)
    return shell


class Administrator:
    """The administrator of the account, with any AWS client."""

    def __init__(self, checkout: Checkout, running: local_cloud.LocalCloud) -> None:
        self._account = checkout.home().account
        self._running = running
        self._regions = {name: each.region for name, each in checkout.environments().items()}
        self._regions["tooling"] = checkout.home().region

    def client(self, service: str, environment: str) -> Any:
        """Return a client in the region of an environment."""
        make: Any = boto3.client
        return make(
            service,
            endpoint_url=self._running.endpoint,
            region_name=self._regions[environment],
            aws_access_key_id=self._account,
            aws_secret_access_key=self._running.secret_key,
        )

    def status(self, stack: str, environment: str) -> str:
        """Return a stack's status."""
        answer = self.client("cloudformation", environment).describe_stacks(StackName=stack)
        return str(answer["Stacks"][0]["StackStatus"])

    def wait_until_deleted(self, stack: str, environment: str) -> None:
        """Wait for a deletion in progress; raise if it fails."""
        waiter = self.client("cloudformation", environment).get_waiter("stack_delete_complete")
        waiter.wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 300})

    def logs_a_request(self, environment: str) -> bool:
        """Send the environment's API a request; return whether its access log receives it."""
        api = f"files-{environment}"
        gateway, logs = (self.client(each, environment) for each in ("apigateway", "logs"))
        [found] = [each["id"] for each in gateway.get_rest_apis()["items"] if each["name"] == api]
        stage = gateway.get_stage(restApiId=found, stageName=environment)
        group = stage["accessLogSettings"]["destinationArn"].split(":log-group:")[1]
        address = f"{self._running.gateway}/{found}/{environment}/version"
        answer = requests.get(address, timeout=_LOG_SECONDS)
        assert answer.status_code == 200
        request = answer.headers["x-amzn-RequestId"]
        end = time.monotonic() + _LOG_SECONDS
        while not _has_line(logs, group, request):
            if time.monotonic() > end:
                return False
            time.sleep(_POLL_SECONDS)
        return True


def _has_line(logs: Any, group: str, text: str) -> bool:
    """Return whether a line of a log group contains a text."""
    pages = logs.get_paginator("filter_log_events")
    found = pages.paginate(logGroupName=group, filterPattern=f'"{text}"')
    return any(page["events"] for page in found)


@pytest.fixture(scope="module")
def administrator(checkout: Checkout, running: local_cloud.LocalCloud) -> Administrator:
    return Administrator(checkout, running)


def test_without_app_bootstrap_fails_for_lack_of_the_next_steps_output(
    checkout: Checkout, running: local_cloud.LocalCloud
) -> None:
    """Planted: the second step as it was.

    The CDK CLI synthesises the app of the checkout first.
    """
    del running  # but it exits with 0
    [introduction] = PAGE[""]
    first = PAGE["Bootstrap the accounts"][0]
    assert "--app '' " in first
    with pytest.raises(AssertionError, match="context key connection-arn: nothing found; give"):
        Shell(checkout.root, introduction, SUBSTITUTIONS).run(
            first.replace("--app '' ", ""), checkout.home().account, checkout.home().region
        )


def test_the_documented_commands_deploy_the_pipeline_and_its_environments(
    shell: Shell, checkout: Checkout, administrator: Administrator
) -> None:
    assert administrator.status(STACK, "tooling") == "CREATE_COMPLETE"
    assert administrator.status(support_stack(PROD_REGION), "prod") == "CREATE_COMPLETE"
    for name in checkout.environments():
        assert administrator.status(service_stack(name), name) == "CREATE_COMPLETE"


def test_cloudformation_deploys_under_the_generated_policies(
    shell: Shell, checkout: Checkout, administrator: Administrator
) -> None:
    """The next test also deletes all stacks of the region under these policies."""
    account, region = checkout.home().account, checkout.home().region
    _tooling, _others, write, narrow, _preflight = PAGE["Bootstrap the accounts"]
    [takedown] = PAGE["Taking it down"]
    shell.run(write, account, region)
    shell.run(takedown, account, PROD_REGION)
    administrator.wait_until_deleted(PROD_STACK, "prod")
    shell.run(narrow.replace(region, PROD_REGION).replace(EXAMPLE, account), account, PROD_REGION)
    role = f"cdk-hnb659fds-cfn-exec-role-{account}-{PROD_REGION}"
    attached = administrator.client("iam", "prod").list_attached_role_policies(RoleName=role)
    names = [each["PolicyName"] for each in attached["AttachedPolicies"]]
    assert names[0] == "pithead-cloudformation-1"
    assert "AdministratorAccess" not in names
    shell.run(
        "cdk deploy --app cdk.out --require-approval never Pithead/prod/files", account, region
    )
    assert administrator.status(PROD_STACK, "prod") == "CREATE_COMPLETE"


def test_the_environments_of_an_account_are_deleted_one_by_one(
    shell: Shell, checkout: Checkout, administrator: Administrator
) -> None:
    """The environments dev and staging share API Gateway's log role."""
    [block] = PAGE["Taking it down"]
    home, environments = checkout.home(), checkout.environments()
    for name in environments:
        stack = service_stack(name)
        shell.run(block.replace(PROD_STACK, stack), home.account, environments[name].region)
        administrator.wait_until_deleted(stack, name)
        if name == "dev":
            assert administrator.logs_a_request("staging")
    shell.run(block.replace(PROD_STACK, STACK), home.account, home.region)
    administrator.wait_until_deleted(STACK, "tooling")
    support = support_stack(PROD_REGION)
    shell.run(block.replace(PROD_STACK, support), home.account, PROD_REGION)
    administrator.wait_until_deleted(support, "prod")
