"""Which pushes start an execution ("Automate starting pipelines using triggers and filtering")."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localcloud.codepipeline.model import Pipeline


def started_by(pipeline: Pipeline, connection: str, repository: str, branch: str) -> str | None:
    """The source action that takes a push of the branch, if one does.

    Triggers, where a source action has some, say which branches; else `BranchName` does, unless
    `DetectChanges` is false.
    """
    for action in pipeline.stages[0]["actions"]:
        configuration = action.get("configuration") or {}
        same = (
            str(configuration.get("ConnectionArn", "")).rsplit("/", 1)[-1] == connection
            and configuration.get("FullRepositoryId") == repository
        )
        if same and _takes(pipeline, action, branch):
            return str(action["name"])
    return None


def _takes(pipeline: Pipeline, action: dict[str, Any], branch: str) -> bool:
    triggers = [
        trigger["gitConfiguration"]
        for trigger in pipeline.definition.get("triggers") or []
        if trigger["gitConfiguration"]["sourceActionName"] == action["name"]
    ]
    configuration = action["configuration"]
    if not triggers:
        detected = str(configuration.get("DetectChanges", "true")).lower() != "false"
        return detected and configuration["BranchName"] == branch
    return any(
        _branch_matches(push.get("branches") or {}, branch)
        for trigger in triggers
        for push in trigger.get("push") or [{}]
    )


def _branch_matches(branches: dict[str, list[str]], branch: str) -> bool:
    includes, excludes = branches.get("includes") or ["**"], branches.get("excludes") or []
    # As documented, what is in both is excluded.
    return _any(includes, branch) and not _any(excludes, branch)


def _any(patterns: list[str], branch: str) -> bool:
    return any(re.fullmatch(_expression(pattern), branch) for pattern in patterns)


def _expression(pattern: str) -> str:
    """`*` is anything but `/`, `**` anything, `{a,b}` one of these."""
    parts = re.split(r"(\*\*|\*|\?|\{[^}]*\})", pattern)
    meaning = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(
        "(?:" + "|".join(map(_expression, part[1:-1].split(","))) + ")"
        if part.startswith("{") and part.endswith("}")
        else meaning.get(part, re.escape(part))
        for part in parts
    )
