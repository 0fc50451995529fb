"""What each kind of action does: a function of `ActionRun` that returns when it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.codepipeline.actions.approval import approval
from localcloud.codepipeline.actions.build import build
from localcloud.codepipeline.actions.deploy import deploy
from localcloud.codepipeline.actions.source import source

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.codepipeline.actions.run import ActionRun

PROVIDERS: dict[str, Callable[[ActionRun], None]] = {
    "CodeStarSourceConnection": source,
    "CodeBuild": build,
    "CloudFormation": deploy,
    "Manual": approval,
}
"""Functions by provider; `definition.ACTION_KEYS` lists the allowed categories."""
