"""Helpers for replays of pipelines."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.corpus.deliveries import running
from tests.localcloud.codepipeline.deploy_actions import action
from tests.localcloud.codepipeline.world import ACCOUNT, NUMBERS, REGION, SERVICES, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from localcloud.server import LocalCloud


@contextmanager
def connected(folder: Path) -> Iterator[tuple[LocalCloud, str]]:
    """A local cloud with the roles and the bucket of pipelines, and its connection."""
    with running(folder, *SERVICES) as started:
        world = World(started, "none")
        connection = world.set_up()
        world.close()
        yield started, connection


@contextmanager
def one_pipeline(shared: tuple[LocalCloud, str]) -> Iterator[World]:
    """A pipeline of one test, not yet created."""
    server, connection = shared
    world = World(server, f"pipeline-{next(NUMBERS)}", connection)
    try:
        yield world
    finally:
        server.cloud.codepipeline.delete(ACCOUNT, REGION, world.name)
        world.close()


def make_role(world: World, name: str, trust: str) -> str:
    """Create a role; return its ARN."""
    iam = world.server.cloud.client("iam", ACCOUNT, REGION)
    return str(iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"])


def deploy(world: World, *inputs: str, **configuration: str) -> dict[str, Any]:
    """Return an action that creates or updates a stack; empty values are omitted."""
    made = action(
        world, "Deploy", "CREATE_UPDATE", inputArtifacts=[{"name": each} for each in inputs]
    )
    settings = made["configuration"] | configuration
    return made | {"configuration": {key: value for key, value in settings.items() if value}}
