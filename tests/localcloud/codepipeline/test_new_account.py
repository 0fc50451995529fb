"""A pipeline in an account whose quotas are those of a new one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from localcloud.core.delays import NO_DELAYS
from localcloud.core.quotas import NEW_ACCOUNT
from localcloud.server import LocalCloud
from tests.localcloud.codepipeline.conftest import SPEED
from tests.localcloud.codepipeline.world import SERVICES, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def new_account(tmp_path: Path) -> Iterator[World]:
    server = LocalCloud(
        tmp_path / "state", services=SERVICES, speed=SPEED, quotas=NEW_ACCOUNT, delays=NO_DELAYS
    )
    server.start()
    world = World(server, "new")
    world.set_up()
    yield world
    world.close()
    server.stop()


def test_a_concurrent_build_fails_its_action_with_codebuilds_message(
    new_account: World,
) -> None:
    """The text is that of aws-cdk#27335; a stage waits for its running actions."""
    world = new_account
    execution = world.create(world.stage("Verify", world.held("One"), world.held("Two")))
    world.until(lambda: bool(world.errors(execution)))
    (refused,) = (each.name for each in world.service.executions[execution].actions if each.error)
    running = "Two" if refused == "One" else "One"
    world.release(running)
    assert world.ended(execution) == "Failed"
    assert world.action(execution, running)["status"] == "Succeeded"
    result = world.action(execution, refused)["output"]["executionResult"]
    assert re.fullmatch(
        r"Error calling startBuild: Cannot have more than 1 builds in queue for the account "
        r"\(Service: AWSCodeBuild; Status Code: 400; Error Code: AccountLimitExceededException; "
        r"Request ID: [0-9a-f-]{36}; Proxy: null\)",
        result["errorDetails"]["message"],
    )
    # A release prints this as the workaround until the quota is raised.
    world.client.retry_stage_execution(
        pipelineName=world.name,
        stageName="Verify",
        pipelineExecutionId=execution,
        retryMode="FAILED_ACTIONS",
    )
    world.release(refused)
    assert world.ended(execution) == "Succeeded"
