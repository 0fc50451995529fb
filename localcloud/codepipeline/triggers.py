"""Triggers of pipelines.

Source: "Automate starting pipelines using triggers and filtering", CodePipeline user guide.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localcloud.codepipeline.definition_errors import invalid_structure, unsupported

if TYPE_CHECKING:
    from localcloud.codepipeline.model import Pipeline


def triggered_action(
    pipeline: Pipeline, connection: str, repository: str, branch: str
) -> str | None:
    """Return the source action that a push to the branch triggers, or None.

    A source action with triggers uses their branch filters. One without triggers uses
    `BranchName`, unless `DetectChanges` is false.
    """
    for action in pipeline.stages[0]["actions"]:
        configuration = action.get("configuration") or {}
        same = (
            str(configuration.get("ConnectionArn", "")).rsplit("/", 1)[-1] == connection
            and configuration.get("FullRepositoryId") == repository
        )
        if same and _matches_push(pipeline, action, branch):
            return str(action["name"])
    return None


def check_triggers(definition: dict[str, Any]) -> None:
    """Check the triggers of a declaration.

    Raises:
        DefinitionError: AWS rejects one, or the local cloud does not support one.
    """
    version = definition.get("pipelineType") or "V1"
    sources = {each["name"] for each in definition["stages"][0]["actions"]}
    for trigger in definition.get("triggers") or []:
        git = trigger["gitConfiguration"]
        if git["sourceActionName"] not in sources:  # aws-cdk#28694
            raise invalid_structure(
                "Triggers for connection must reference a CodeStarSourceConnection action. Note "
                "that when you specify a trigger, you can't specify more than one trigger per "
                "source action."
            )
        sources.remove(git["sourceActionName"])
        _check_filters(git, version)


def _check_filters(git: dict[str, Any], version: str) -> None:
    name, pushes = git["sourceActionName"], git.get("push") or []
    if version != "V2":  # terraform-aws-ecs-codepipeline#145
        what = "tag" if any(push.get("tags") for push in pushes) else "branch"
        raise invalid_structure(f"Triggers on {what} can only be used with V2 pipelines")
    if any(push.get("tags") and push.get("branches") for push in pushes):
        raise invalid_structure(  # terraform-provider-aws#43105
            "The trigger configuration for the source action is not valid. Make sure to choose "
            "valid filter combinations."
        )
    if git.get("pullRequest"):
        raise unsupported(f"Trigger of {name}: pullRequest")
    for push in pushes:
        for key in ("tags", "filePaths"):
            if push.get(key):
                raise unsupported(f"Trigger of {name}: push.{key}")


def _matches_push(pipeline: Pipeline, action: dict[str, Any], branch: str) -> bool:
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
    # As documented, a branch that matches both is excluded.
    return _matches_any(includes, branch) and not _matches_any(excludes, branch)


def _matches_any(patterns: list[str], branch: str) -> bool:
    return any(re.fullmatch(_branch_regex(pattern), branch) for pattern in patterns)


def _branch_regex(pattern: str) -> str:
    """Convert a glob to a regular expression.

    `*` matches anything but `/`, `**` anything, and `{a,b}` one of the alternatives.
    """
    parts = re.split(r"(\*\*|\*|\?|\{[^}]*\})", pattern)
    meaning = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(
        "(?:" + "|".join(map(_branch_regex, part[1:-1].split(","))) + ")"
        if part.startswith("{") and part.endswith("}")
        else meaning.get(part, re.escape(part))
        for part in parts
    )
