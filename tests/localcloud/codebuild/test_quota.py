"""Quotas of an account's builds and of a project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from localcloud.core.delays import NO_DELAYS
from localcloud.core.ports import BuildNotStartedError
from localcloud.core.providers import ProvisioningError
from localcloud.core.quotas import NEW_ACCOUNT, Quotas
from localcloud.server import LocalCloud
from tests.localcloud.codebuild.builds import SERVICES, Builds, wait

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_WAITS = {"version": "0.2", "phases": {"build": {"commands": ["sleep 600"]}}}


@pytest.fixture
def new_account(tmp_path: Path) -> Iterator[Builds]:
    server = LocalCloud(tmp_path / "state", services=SERVICES, quotas=NEW_ACCOUNT, delays=NO_DELAYS)
    server.start()
    builds = Builds(server)
    builds.set_up()
    yield builds
    server.stop()


def test_a_new_account_runs_one_build_at_a_time(new_account: Builds) -> None:
    """Per compute type, over all projects (awslabs/landing-zone-accelerator-on-aws#249)."""
    new_account.declare(_WAITS)
    other = Builds(new_account.server, project="other")
    other.declare()
    larger = Builds(new_account.server, project="larger")
    environment = {
        "Type": "LINUX_CONTAINER",
        "Image": "aws/codebuild/standard:7.0",
        "ComputeType": "BUILD_GENERAL1_MEDIUM",
    }
    larger.declare(_WAITS, Environment=environment)
    running = new_account.start()
    with pytest.raises(BuildNotStartedError) as refused:
        other.start()
    assert refused.value.code == "AccountLimitExceededException"
    assert str(refused.value).endswith("Cannot have more than 1 builds in queue for the account")
    bigger = larger.start()
    for each in (running, bigger):
        each.interrupt("STOPPED")
        wait(each)
    assert other.commands("true").status == "SUCCEEDED"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builds]:
    """A project in an account with a quota of one project."""
    quotas = Quotas(concurrent_executions=1000, concurrent_builds=60, build_projects=1)
    state = tmp_path_factory.mktemp("small") / "state"
    server = LocalCloud(state, services=SERVICES, quotas=quotas, delays=NO_DELAYS)
    server.start()
    builds = Builds(server)
    builds.set_up()
    builds.declare()
    yield builds
    server.stop()


def _variable(characters: int) -> dict[str, Any]:
    return {
        "Type": "LINUX_CONTAINER",
        "Image": "aws/codebuild/standard:7.0",
        "ComputeType": "BUILD_GENERAL1_SMALL",
        "EnvironmentVariables": [{"Name": "A", "Value": "x" * characters}],
    }


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"TimeoutInMinutes": 4}, "'timeoutInMinutes' .* greater than or equal to 5"),
        ({"TimeoutInMinutes": 2161}, "'timeoutInMinutes' .* less than or equal to 2160"),
        ({"QueuedTimeoutInMinutes": 4}, "'queuedTimeoutInMinutes' .* greater than or equal to 5"),
        ({"QueuedTimeoutInMinutes": 481}, "'queuedTimeoutInMinutes' .* less than or equal to 480"),
        ({"Description": "x" * 256}, "'description' .* less than or equal to 255"),
        ({"Environment": _variable(4097)}, "EnvironmentVariable should be at most 4096 characters"),
        ({"Tags": [{"Key": str(n), "Value": ""} for n in range(51)]}, "'tags' .* equal to 50"),
        ({"Name": "a"}, "'name' .* regular expression"),
        ({"Name": "second"}, "Cannot have more than 1 projects for the account"),
    ],
)
def test_a_project_that_exceeds_a_quota_is_refused(
    small: Builds, properties: dict[str, Any], message: str
) -> None:
    """See "Quotas for AWS CodeBuild"."""
    with pytest.raises(ProvisioningError, match=message):
        small.declare(**properties)


@pytest.mark.parametrize(
    "properties",
    [
        {"TimeoutInMinutes": 5, "QueuedTimeoutInMinutes": 480},
        {"TimeoutInMinutes": 2160, "Description": "x" * 255},
        {"Environment": _variable(4096)},
    ],
)
def test_a_project_within_the_quotas_is_accepted(small: Builds, properties: dict[str, Any]) -> None:
    small.declare(**properties)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"timeoutInMinutesOverride": 2161}, "less than or equal to 2160"),
        (
            {"environmentVariablesOverride": [{"name": "A", "value": "x" * 4097}]},
            "should be at most 4096 characters",
        ),
    ],
)
def test_a_build_that_exceeds_a_quota_is_refused(
    small: Builds, override: dict[str, Any], message: str
) -> None:
    """See wolfeidau/buildkite-serverless-agent#35."""
    with pytest.raises(ClientError, match=message) as refused:
        small.client("codebuild").start_build(projectName=small.project, **override)
    assert refused.value.response["Error"]["Code"] == "InvalidInputException"
