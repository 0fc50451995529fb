from __future__ import annotations

import copy
from typing import Any

import pytest

from localcloud.codepipeline.definition import check
from localcloud.codepipeline.definition_errors import DefinitionError
from localcloud.codepipeline.model import Pipeline
from localcloud.codepipeline.provider import declaration
from localcloud.codepipeline.triggers import triggered_action


def good() -> dict[str, Any]:
    return {
        "name": "p",
        "roleArn": "arn:aws:iam::111111111111:role/p",
        "pipelineType": "V2",
        "artifactStore": {"type": "S3", "location": "b"},
        "variables": [{"name": "WHO", "defaultValue": "us"}],
        "stages": [
            {
                "name": "Source",
                "actions": [
                    {
                        "name": "Git",
                        "namespace": "Commit",
                        "actionTypeId": kind("Source", "CodeStarSourceConnection"),
                        "configuration": {
                            "ConnectionArn": "arn:aws:codeconnections:eu:1:connection/c-1",
                            "FullRepositoryId": "acme/shop",
                            "BranchName": "main",
                        },
                        "outputArtifacts": [{"name": "App"}],
                    }
                ],
            },
            {
                "name": "Build",
                "actions": [
                    {
                        "name": "Test",
                        "actionTypeId": kind("Test", "CodeBuild"),
                        "configuration": {
                            "ProjectName": "t",
                            "EnvironmentVariables": '[{"value": "#{Commit.CommitId}"}]',
                        },
                        "inputArtifacts": [{"name": "App"}],
                    }
                ],
            },
        ],
    }


def kind(category: str, provider: str) -> dict[str, str]:
    return {"category": category, "owner": "AWS", "provider": provider, "version": "1"}


def rules(result: str, provider: str, **configuration: str) -> dict[str, Any]:
    return {
        "conditions": [
            {
                "result": result,
                "rules": [
                    {
                        "name": "r",
                        "ruleTypeId": kind("Rule", provider),
                        "configuration": configuration,
                    }
                ],
            }
        ]
    }


CHANGES: list[tuple[str, Any, str]] = [
    ("stages", [good()["stages"][0]], "at least 2 stages"),
    ("stages.1.name", "Source", "unique"),
    ("stages.1.actions", [], "Stage Build has no action"),
    ("stages.1.blockers", [{}], "Build: blockers"),
    ("executionMode", "QUEUED", ""),
    ("stages.1.actions.0.actionTypeId", kind("Deploy", "ECS"), "Build/Test: Deploy by AWS ECS"),
    ("stages.1.actions.0.actionTypeId", kind("Source", "CodeStarSourceConnection"), "first stage"),
    ("stages.1.actions.0.configuration", {}, "missing required configuration 'ProjectName'"),
    ("stages.1.actions.0.configuration.BatchEnabled", "true", "configuration BatchEnabled"),
    ("stages.1.actions.0.inputArtifacts", [{"name": "No"}], "Input Artifact Bundle No in action"),
    ("stages.1.actions.0.outputArtifacts", [{"name": "App"}], "App has been used more than once"),
    ("stages.1.actions.0.timeoutInMinutes", 5, "timeoutInMinutes"),
    (
        "stages.1.actions.0.configuration.EnvironmentVariables",
        "#{No.Thing}",
        r"namespace that does not exist. \[Build, Test\] \[#{No.Thing}\]",
    ),
    (
        "stages.1.actions.0",
        {
            "name": "D",
            "actionTypeId": kind("Deploy", "CloudFormation"),
            "configuration": {"ActionMode": "REPLACE_ON_FAILURE", "StackName": "s"},
        },
        "ActionMode REPLACE_ON_FAILURE",
    ),
    ("stages.0.actions.0.configuration.OutputArtifactFormat", "CODE_TAR", "CODE_TAR"),
    ("stages.1.onSuccess", rules("ROLLBACK", "CloudWatchAlarm", AlarmName="a"), ""),
    ("stages.1.onSuccess", rules("SKIP", "CloudWatchAlarm", AlarmName="a"), "onSuccess SKIP"),
    ("stages.1.beforeEntry", rules("SKIP", "CloudWatchAlarm", AlarmName="a"), "result SKIP"),
    ("stages.1.beforeEntry", rules("FAIL", "DeploymentWindow"), "Build/r: DeploymentWindow"),
    ("stages.1.onSuccess", rules("FAIL", "CloudWatchAlarm"), "'AlarmName'"),
    ("stages.1.onFailure", {"result": "RETRY"}, ""),
    ("stages.1.onFailure", {"result": "SKIP"}, "onFailure SKIP"),
    ("stages.1.onFailure", rules("ROLLBACK", "LambdaInvoke"), "conditions of onFailure"),
    ("triggers", [{"gitConfiguration": {"sourceActionName": "No"}}], "must reference a"),
    (
        "triggers",
        [
            {
                "gitConfiguration": {
                    "sourceActionName": "Git",
                    "push": [{"tags": {"includes": ["*"]}}],
                }
            }
        ],
        "push.tags",
    ),
]


@pytest.mark.parametrize(("place", "value", "said"), CHANGES)
def test_unsupported_settings_are_named(place: str, value: Any, said: str) -> None:
    definition = copy.deepcopy(good())
    check(definition)
    *way, last = place.split(".")
    found: Any = definition
    for step in way:
        found = found[int(step)] if isinstance(found, list) else found[step]
    found[int(last) if isinstance(found, list) else last] = value
    if said:
        with pytest.raises(DefinitionError, match=said):
            check(definition)
    else:
        check(definition)


def test_another_mode_needs_v2() -> None:
    with pytest.raises(DefinitionError, match="PARALLEL needs a pipeline of type V2"):
        check(good() | {"executionMode": "PARALLEL", "pipelineType": "V1"})


def followed(definition: dict[str, Any], branch: str) -> str | None:
    pipeline = Pipeline("p", "1", "eu", 1, definition, 0, 0)
    return triggered_action(pipeline, "c-1", "acme/shop", branch)


def test_a_push_starts_the_pipeline_that_follows_its_branch() -> None:
    definition = good()
    assert followed(definition, "main") == "Git"
    assert followed(definition, "other") is None
    definition["stages"][0]["actions"][0]["configuration"]["DetectChanges"] = "false"
    assert followed(definition, "main") is None


@pytest.mark.parametrize(
    ("branches", "following", "others"),
    [
        ({"includes": ["main", "release/*"]}, ["main", "release/1"], ["x", "release/1/2"]),
        ({"includes": ["**"], "excludes": ["main"]}, ["x", "a/b"], ["main"]),
        ({"includes": ["{a,b}?"]}, ["a1", "b2"], ["c1", "a"]),
        ({"excludes": ["wip/**"]}, ["main"], ["wip/x/y"]),
    ],
)
def test_triggers_filter_branches(
    branches: dict[str, list[str]], following: list[str], others: list[str]
) -> None:
    definition = good()
    definition["triggers"] = [
        {
            "providerType": "CodeStarSourceConnection",
            "gitConfiguration": {"sourceActionName": "Git", "push": [{"branches": branches}]},
        }
    ]
    assert [each for each in following + others if followed(definition, each)] == following


def test_a_templates_declaration_equals_the_apis() -> None:
    properties = {
        "Name": "p",
        "PipelineType": "V2",
        "RestartExecutionOnUpdate": True,
        "Tags": [{"Key": "a", "Value": "b"}],
        "ArtifactStores": [
            {"Region": "eu-west-1", "ArtifactStore": {"Type": "S3", "Location": "one"}}
        ],
        "Stages": [
            {
                "Name": "Source",
                "Actions": [
                    {
                        "Name": "Git",
                        "RunOrder": "2",
                        "ActionTypeId": {"Category": "Source"},
                        "Configuration": {"BranchName": "main", "DetectChanges": False},
                    }
                ],
            }
        ],
    }
    assert declaration(properties) == {
        "name": "p",
        "pipelineType": "V2",
        "artifactStores": {"eu-west-1": {"type": "S3", "location": "one"}},
        "stages": [
            {
                "name": "Source",
                "actions": [
                    {
                        "name": "Git",
                        "runOrder": 2,
                        "actionTypeId": {"category": "Source"},
                        "configuration": {"BranchName": "main", "DetectChanges": "false"},
                    }
                ],
            }
        ],
    }
