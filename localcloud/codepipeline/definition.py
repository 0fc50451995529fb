"""Checks of pipeline declarations ("CodePipeline pipeline structure reference")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.codepipeline.definition_errors import (
    DefinitionError,
    invalid_structure,
    unsupported,
)
from localcloud.codepipeline.model import VARIABLE
from localcloud.codepipeline.quotas import exceeded
from localcloud.codepipeline.triggers import check_triggers

if TYPE_CHECKING:
    from collections.abc import Iterator

_MIN_STAGES = 2
_SOURCE = ("Source", "AWS", "CodeStarSourceConnection")
ACTION_KEYS = {
    _SOURCE: ({"ConnectionArn", "FullRepositoryId", "BranchName"}, {
        "OutputArtifactFormat", "DetectChanges"}),
    ("Build", "AWS", "CodeBuild"): ({"ProjectName"}, {"PrimarySource", "EnvironmentVariables"}),
    ("Test", "AWS", "CodeBuild"): ({"ProjectName"}, {"PrimarySource", "EnvironmentVariables"}),
    ("Deploy", "AWS", "CloudFormation"): ({"ActionMode", "StackName"}, {
        "Capabilities", "ChangeSetName", "ParameterOverrides", "RoleArn", "TemplateConfiguration",
        "TemplatePath"}),
    ("Approval", "AWS", "Manual"): (set(), {
        "CustomData", "ExternalEntityLink", "NotificationArn"}),
}  # fmt: skip
"""Required and optional configuration keys, by category, owner and provider."""
RULE_KEYS = {
    "CloudWatchAlarm": ({"AlarmName"}, {"AlarmStates", "WaitTime"}),
    "VariableCheck": ({"Variable", "Value", "Operator"}, set()),
}
_UNSUPPORTED_KEYS = {"BatchEnabled", "CombineArtifacts", "OutputFileName"}
"""Configuration keys that AWS supports and the local cloud does not."""
_ACTION_MODES = {"CHANGE_SET_REPLACE", "CHANGE_SET_EXECUTE", "CREATE_UPDATE", "DELETE_ONLY"}
_CONDITION_RESULTS = {"beforeEntry": {"FAIL", "SKIP"}, "onSuccess": {"FAIL", "ROLLBACK"}}


def check(definition: dict[str, Any], region: str = "") -> None:
    """Check that AWS accepts a declaration and the local cloud supports it.

    Raises:
        DefinitionError: AWS rejects a part of it, or the local cloud does not support one.
    """
    stages = definition.get("stages") or []
    if len(stages) < _MIN_STAGES:
        raise invalid_structure(
            f"Pipeline has {len(stages)} stage(s). There should be at least 2 stages"
        )
    _unique("Stage", [stage["name"] for stage in stages])
    if definition.get("executionMode") not in {None, "SUPERSEDED"} and (
        definition.get("pipelineType") != "V2"
    ):
        raise invalid_structure(
            f"Execution mode {definition['executionMode']} needs a pipeline of type V2"
        )
    _check_actions(definition, region)
    for stage in stages:
        _check_conditions(stage)
    check_triggers(definition)
    for message, code in exceeded(definition):
        raise DefinitionError(message, code)


def _check_actions(definition: dict[str, Any], region: str) -> None:
    """Check the actions in order: each may use the outputs of earlier actions."""
    namespaces = {"codepipeline"} | ({"variables"} if definition.get("variables") else set())
    artifacts: set[str] = set()
    for index, stage in enumerate(definition["stages"]):
        name, actions = stage["name"], stage["actions"]
        if stage.get("blockers"):
            raise unsupported(f"Stage {name}: blockers")
        if not actions:
            raise invalid_structure(f"Stage {name} has no actions; it needs at least one")
        _unique(f"Action of stage {name}", [action["name"] for action in actions])
        for order in sorted({action.get("runOrder") or 1 for action in actions}):
            group = [each for each in actions if (each.get("runOrder") or 1) == order]
            for action in group:
                _check_available(action, region)
                _check_action(name, action, first=index == 0)
                _check_uses(name, action, namespaces, artifacts)
            for action in group:
                _check_namespace(name, action, namespaces)
                namespaces |= {action["namespace"]} if action.get("namespace") else set()
                artifacts |= _names(action, "outputArtifacts")


def _check_available(action: dict[str, Any], region: str) -> None:
    """Reject a custom action type: the local cloud has none."""
    kind = action["actionTypeId"]
    if kind["owner"] == "Custom":
        raise DefinitionError(
            f"ActionType (Category: '{kind['category']}', Provider: '{kind['provider']}', Owner: "
            f"'Custom', Version: '{kind['version']}') in action '{action['name']}' is not "
            f"available in region '{region.upper().replace('-', '_')}'"
        )


def _check_action(stage: str, action: dict[str, Any], *, first: bool) -> None:
    where = f"Action {stage}/{action['name']}"
    declared = action["actionTypeId"]
    kind = (declared["category"], declared["owner"], declared["provider"])
    if kind not in ACTION_KEYS:
        raise unsupported(f"{where}: {kind[0]} by {kind[1]} {kind[2]}")
    if (kind[0] == "Source") != first:
        raise DefinitionError(
            f"{where} of category {kind[0]} cannot be in this stage: the first stage has source "
            "actions, and no other stage has any",
            "InvalidStageDeclarationException",
        )
    if action.get("commands") or any(
        each.get("files") for each in action.get("outputArtifacts") or []
    ):  # aws-cdk#38843
        raise DefinitionError(
            f"The following action cannot contain a commands field: {action['name']}. To use the "
            "commands field, use a compute action."
        )
    for key in ("outputVariables", "environmentVariables"):
        if action.get(key):
            raise unsupported(f"{where}: {key}")
    if action.get("timeoutInMinutes") and kind[0] != "Approval":
        raise unsupported(f"{where}: timeoutInMinutes of an action that is not an approval")
    configuration = action.get("configuration") or {}
    _check_keys(where, configuration, ACTION_KEYS[kind])
    _check_values(where, configuration)


def _check_uses(
    stage: str, action: dict[str, Any], namespaces: set[str], artifacts: set[str]
) -> None:
    for name in _names(action, "inputArtifacts") - artifacts:
        raise DefinitionError(
            f"Input Artifact Bundle {name} in action {action['name']} is not declared "
            "as Output Artifact Bundle in any of the preceding actions"
        )
    for name in _names(action, "outputArtifacts") & artifacts:
        raise DefinitionError(
            f"Output Artifact Bundle name must be unique within the pipeline. "
            f"{name} has been used more than once"
        )
    for namespace, name in _references(action.get("configuration") or {}):
        if namespace not in namespaces:
            raise DefinitionError(
                "The following pipeline execution variables are referencing a namespace that "
                f"does not exist. [{stage}, {action['name']}] [#{{{namespace}.{name}}}]"
            )


def _check_namespace(stage: str, action: dict[str, Any], namespaces: set[str]) -> None:
    """Reject a namespace that another action uses; AWS's text is in aws-cdk#6111."""
    if action.get("namespace") in namespaces:
        raise DefinitionError(
            "Namespaces must be unique across the pipeline definition. The following occur more "
            f"than once in the pipeline. StageName=[{stage}], ActionName=[{action['name']}], "
            f"Namespace=[{action['namespace']}]"
        )


def _names(action: dict[str, Any], key: str) -> set[str]:
    return {each["name"] for each in action.get(key) or []}


def _check_values(where: str, configuration: dict[str, Any]) -> None:
    mode = configuration.get("ActionMode")
    if mode is not None and mode not in _ACTION_MODES:
        raise unsupported(f"{where}: ActionMode {mode}")
    if mode in {"CHANGE_SET_REPLACE", "CHANGE_SET_EXECUTE"} and (
        "ChangeSetName" not in configuration
    ):
        raise DefinitionError(f"{where} is missing required configuration 'ChangeSetName'")
    if mode in {"CHANGE_SET_REPLACE", "CREATE_UPDATE"} and "TemplatePath" not in configuration:
        raise DefinitionError(f"{where} is missing required configuration 'TemplatePath'")
    form = configuration.get("OutputArtifactFormat", "CODE_ZIP")
    if form not in {"CODE_ZIP", "CODEBUILD_CLONE_REF"}:
        raise unsupported(f"{where}: OutputArtifactFormat {form}")


def _check_keys(
    where: str, configuration: dict[str, Any], allowed: tuple[set[str], set[str]]
) -> None:
    required, optional = allowed
    missing = sorted(required - configuration.keys())
    if missing:
        raise DefinitionError(f"{where} is missing required configuration '{missing[0]}'")
    unknown = sorted(configuration.keys() - required - optional)
    if set(unknown) & _UNSUPPORTED_KEYS:
        raise unsupported(f"{where}: configuration {', '.join(unknown)}")
    if unknown:
        kind, name = where.split(maxsplit=1)
        raise DefinitionError(
            f"{kind} configuration for {kind.lower()} '{name.rpartition('/')[2]}' contains unknown "
            f"configuration '{unknown[0]}'"
        )


def _check_conditions(stage: dict[str, Any]) -> None:
    name = stage["name"]
    failure = stage.get("onFailure") or {}
    if failure.get("conditions"):
        raise unsupported(f"Stage {name}: conditions of onFailure")
    if failure.get("result") == "SKIP":
        raise unsupported(f"Stage {name}: onFailure SKIP")
    for when, results in _CONDITION_RESULTS.items():
        for condition in (stage.get(when) or {}).get("conditions") or []:
            result = condition.get("result") or "FAIL"
            if result not in results:
                raise unsupported(f"Stage {name}: {when} {result}")
            for rule in condition["rules"]:
                where = f"Rule {name}/{rule['name']}"
                provider = rule["ruleTypeId"]["provider"]
                if provider not in RULE_KEYS:
                    raise unsupported(f"{where}: {provider}")
                if result == "SKIP" and provider != "VariableCheck":
                    raise DefinitionError(f"{where}: {provider} does not support result SKIP")
                if rule.get("commands") or rule.get("inputArtifacts"):
                    raise unsupported(f"{where}: commands and input artifacts of a rule")
                _check_keys(where, rule.get("configuration") or {}, RULE_KEYS[provider])


def _references(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, str):
        for match in VARIABLE.finditer(value):
            yield match.group(1), match.group(2)


def _unique(what: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise DefinitionError(
                f"{what} names must be unique. {name} has been used more than once",
                "InvalidStageDeclarationException",
            )
