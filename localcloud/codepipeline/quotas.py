"""Quotas of a pipeline's declaration.

Sources: "Quotas in AWS CodePipeline" and "Valid number of input and output artifacts for each
action type" of the user guide, and the constraints of `CreatePipeline` in the API reference.
Users report that a configuration value may have 50,000 characters
(hashicorp/terraform-provider-aws#41023), while documentation and model say 1,000
(aws/aws-cdk#12747); this module enforces the stricter limit.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_STAGES = 50
_MAX_ACTIONS_AT_ONCE = 50
_MAX_ACTIONS_IN_SEQUENCE = 50
_MAX_RUN_ORDER = 999
_MAX_KEY_CHARACTERS = 50
_MAX_VALUE_CHARACTERS = 1000
_APPROVAL_MINUTES = range(5, 86_400 + 1)
MAX_SOURCE_BYTES = 2**30
"""Maximum size of the artifact of a source action."""
MAX_DEPLOYED_BYTES = 256 * 2**20
"""Maximum size of an input artifact of a CloudFormation action."""
_NAME = re.compile(r"[A-Za-z0-9.@\-_]{1,100}")
_ARTIFACT_NAME = re.compile(r"[a-zA-Z0-9_\-]{1,100}")
_ARTIFACT_COUNTS = {
    "CodeStarSourceConnection": (range(1), range(1, 2)),
    "CodeBuild": (range(1, 6), range(6)),
    "CloudFormation": (range(11), range(2)),
    "Manual": (range(1), range(1)),
}
"""Allowed numbers of input and output artifacts, by provider of the action."""


def exceeded(definition: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield a message and AWS's error code for each quota that a declaration exceeds."""
    stages = definition.get("stages") or []
    if len(stages) > _MAX_STAGES:
        yield _structure(f"Pipeline has {len(stages)} stages; the maximum is {_MAX_STAGES}")
    names = [("pipeline.name", definition.get("name", ""))]
    for number, stage in enumerate(stages, 1):
        place = f"pipeline.stages.{number}.member"
        names.append((f"{place}.name", stage["name"]))
        yield from _actions(stage)
        for position, action in enumerate(stage.get("actions") or [], 1):
            where = f"{place}.actions.{position}.member"
            names.append((f"{where}.name", action["name"]))
            yield from _action(where, action)
    for where, name in names:
        if not _NAME.fullmatch(str(name)):
            yield _invalid(where, f"Member must satisfy regular expression {_NAME.pattern}")


def _actions(stage: dict[str, Any]) -> Iterator[tuple[str, str]]:
    orders = Counter(int(each.get("runOrder") or 1) for each in stage.get("actions") or [])
    for what, found, most in (
        ("run orders", len(orders), _MAX_ACTIONS_IN_SEQUENCE),
        ("actions of one run order", max(orders.values(), default=0), _MAX_ACTIONS_AT_ONCE),
    ):
        if found > most:
            yield _structure(f"Stage {stage['name']} has {found} {what}; the maximum is {most}")


def _action(where: str, action: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if not 1 <= int(action.get("runOrder") or 1) <= _MAX_RUN_ORDER:
        yield _invalid(
            f"{where}.runOrder", f"Member must have value between 1 and {_MAX_RUN_ORDER}"
        )
    configuration = action.get("configuration") or {}
    for what, values, most in (
        ("keys", configuration.keys(), _MAX_KEY_CHARACTERS),
        ("value", configuration.values(), _MAX_VALUE_CHARACTERS),
    ):
        if any(not 1 <= len(str(each)) <= most for each in values):
            yield _invalid(
                f"{where}.configuration",
                f"Map {what} must satisfy constraint: [Member must have length less than or equal "
                f"to {most}, Member must have length greater than or equal to 1]",
            )
    minutes = action.get("timeoutInMinutes")
    if minutes is not None and int(minutes) not in _APPROVAL_MINUTES:
        yield _invalid(
            f"{where}.timeoutInMinutes",
            f"Member must have value between {_APPROVAL_MINUTES.start} and "
            f"{_APPROVAL_MINUTES.stop - 1}",
        )
    allowed = _ARTIFACT_COUNTS.get(action["actionTypeId"]["provider"])
    for kind, numbers in zip(("inputArtifacts", "outputArtifacts"), allowed or (), strict=False):
        artifacts = action.get(kind) or []
        if len(artifacts) not in numbers:
            yield (
                f"Action {action['name']} has {len(artifacts)} {kind}; allowed are "
                f"{numbers.start} to {numbers.stop - 1}",
                "InvalidActionDeclarationException",
            )
        if not all(_ARTIFACT_NAME.fullmatch(each["name"]) for each in artifacts):
            yield _invalid(
                f"{where}.{kind}",
                f"Member must satisfy regular expression {_ARTIFACT_NAME.pattern}",
            )


def _structure(message: str) -> tuple[str, str]:
    return message, "InvalidStructureException"


def _invalid(where: str, constraint: str) -> tuple[str, str]:
    return (
        f"1 validation error detected: Value at '{where}' failed to satisfy constraint: "
        f"{constraint}",
        "ValidationException",
    )
