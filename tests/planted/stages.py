"""The pipeline of the tooling account's stack."""

from __future__ import annotations

import json
from typing import Any

from tests.planted.policies import ASSETS, REGION, TARGET, TOOLING, get, role_arn

REPOSITORY, PIPELINE = "acme/delivery", "delivery"
PIPELINE_ARN = f"arn:aws:codepipeline:{REGION}:{TOOLING}:{PIPELINE}"


def pipeline() -> dict[str, Any]:
    """Return the resource: source, build, and a deployment to the target account."""
    deploy = {
        "StackName": "service",
        "ChangeSetName": "PipelineChange",
        "RoleArn": role_arn(TARGET, "delivery-execution"),
        "Capabilities": "CAPABILITY_NAMED_IAM",
        "TemplatePath": "Synth::service.json",
    }
    deployer = role_arn(TARGET, "delivery-deploy")
    return {
        "Type": "AWS::CodePipeline::Pipeline",
        "Properties": {
            "Name": PIPELINE,
            "PipelineType": "V2",
            "RoleArn": get("PipelineRole"),
            "ArtifactStore": {
                "Type": "S3",
                "Location": {"Ref": "Artifacts"},
                "EncryptionKey": {"Id": get("Key"), "Type": "KMS"},
            },
            "Stages": [
                _stage(
                    "Source",
                    _action(
                        "Git", "Source", "CodeStarSourceConnection",
                        RoleArn=get("SourceRole"),
                        Configuration={
                            "ConnectionArn": {"Ref": "Connection"},
                            "FullRepositoryId": REPOSITORY,
                            "BranchName": "main",
                            "DetectChanges": False,
                            "OutputArtifactFormat": "CODEBUILD_CLONE_REF",
                        },
                        OutputArtifacts=[{"Name": "App"}],
                    ),
                ),
                _stage(
                    "Build",
                    _action(
                        "Synth", "Build", "CodeBuild",
                        RoleArn=get("StartBuildRole"),
                        Configuration={
                            "ProjectName": {"Ref": "Project"},
                            "EnvironmentVariables": json.dumps(
                                [{"name": "ASSETS", "value": ASSETS, "type": "PLAINTEXT"}]
                            ),
                        },
                        InputArtifacts=[{"Name": "App"}],
                        OutputArtifacts=[{"Name": "Synth"}],
                    ),
                ),
                _stage(
                    "Target",
                    _action(
                        "Prepare", "Deploy", "CloudFormation",
                        RoleArn=deployer,
                        Configuration=deploy | {"ActionMode": "CHANGE_SET_REPLACE"},
                        InputArtifacts=[{"Name": "Synth"}],
                    ),
                    _action(
                        "Deploy", "Deploy", "CloudFormation",
                        RoleArn=deployer,
                        RunOrder=2,
                        Configuration={
                            "ActionMode": "CHANGE_SET_EXECUTE",
                            "StackName": "service",
                            "ChangeSetName": "PipelineChange",
                        },
                    ),
                ),
            ],
        },
    }  # fmt: skip


def _stage(name: str, *actions: dict[str, Any]) -> dict[str, Any]:
    return {"Name": name, "Actions": list(actions)}


def _action(name: str, category: str, provider: str, **more: Any) -> dict[str, Any]:
    kind = {"Category": category, "Owner": "AWS", "Provider": provider, "Version": "1"}
    return {"Name": name, "ActionTypeId": kind, **more}
