"""Builds of an account that may run one at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from localcloud.delays import NO_DELAYS
from localcloud.ports import BuildNotStartedError
from localcloud.quotas import NEW_ACCOUNT
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
    """Any project's, of one compute type (awslabs/landing-zone-accelerator-on-aws#249)."""
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
