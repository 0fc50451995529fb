"""Handlers of CodePipeline, CodeBuild, CodeDeploy, Signer and connections."""

from __future__ import annotations

from localcloud.cloudformation.handlers.handler import Handler, Operation, calls

_APPLICATION = {"applicationName": "{name}"}
_GROUP = {"applicationName": "ApplicationName", "deploymentGroupName": "{name}"}
_GROUP_ROLE = _GROUP | {"serviceRoleArn": "ServiceRoleArn"}
_PIPELINE = {"name": "{name}"}
_PIPELINE_ROLE = Operation("GetRole", (), {"RoleName": "RoleArn|name"}, "iam")
_PROFILE = {"profileName": "{name}"}

HANDLERS = {
    "AWS::CodeBuild::Project": Handler(
        "codebuild",
        {"name": "{name}"},
        create=calls(
            Operation("CreateProject", (), {"name": "{name}", "serviceRole": "ServiceRole"})
        ),
        update=calls(
            Operation("UpdateProject", (), {"name": "{name}", "serviceRole": "ServiceRole"})
        ),
        delete=calls("DeleteProject"),
        name="Name",
    ),
    "AWS::CodeBuild::ReportGroup": Handler(
        "codebuild",
        {"name": "{name}"},
        create=calls("CreateReportGroup"),
        update=calls("UpdateReportGroup"),
        delete=calls("BatchGetReportGroups", "DeleteReportGroup"),
        name="Name",
    ),
    "AWS::CodePipeline::Pipeline": Handler(
        "codepipeline",
        _PIPELINE,
        create=calls(
            "CreatePipeline",
            "GetPipeline",
            "GetPipelineState",
            _PIPELINE_ROLE,
            Operation("DisableStageTransition", ("DisableInboundStageTransitions",)),
            Operation(
                "TagResource",
                ("Tags",),
                {"resourceArn": "arn:aws:codepipeline:{region}:{account}:{name}"},
            ),
        ),
        update=calls(
            "GetPipeline",
            "UpdatePipeline",
            "GetPipelineState",
            _PIPELINE_ROLE,
            Operation("StartPipelineExecution", ("RestartExecutionOnUpdate",)),
            Operation("DisableStageTransition", ("DisableInboundStageTransitions",)),
            Operation("EnableStageTransition", ("DisableInboundStageTransitions",)),
            Operation(
                "TagResource",
                ("Tags",),
                {"resourceArn": "arn:aws:codepipeline:{region}:{account}:{name}"},
            ),
            Operation(
                "UntagResource",
                ("Tags",),
                {"resourceArn": "arn:aws:codepipeline:{region}:{account}:{name}"},
            ),
        ),
        delete=calls("GetPipeline", "DeletePipeline"),
        name="Name",
        passes={"RoleArn": "codepipeline.amazonaws.com"},
    ),
    "AWS::CodeDeploy::Application": Handler(
        "codedeploy",
        _APPLICATION,
        create=calls("CreateApplication", Operation("TagResource", ("Tags",))),
        update=calls(
            Operation("TagResource", ("Tags",)),
            Operation("UntagResource", ("Tags",)),
        ),
        delete=calls("GetApplication", "DeleteApplication"),
        name="ApplicationName",
    ),
    "AWS::CodeDeploy::DeploymentGroup": Handler(
        "codedeploy",
        _GROUP,
        create=calls(
            Operation("CreateDeploymentGroup", (), _GROUP_ROLE),
            "GetDeploymentGroup",
            Operation("TagResource", ("Tags",)),
        ),
        update=calls(
            Operation("UpdateDeploymentGroup", (), _GROUP_ROLE),
            Operation("TagResource", ("Tags",)),
            Operation("UntagResource", ("Tags",)),
        ),
        delete=calls("GetDeploymentGroup", "DeleteDeploymentGroup"),
        name="DeploymentGroupName",
    ),
    "AWS::CodeDeploy::DeploymentConfig": Handler(
        "codedeploy",
        {"deploymentConfigName": "{name}"},
        create=calls("CreateDeploymentConfig"),
        delete=calls("GetDeploymentConfig", "DeleteDeploymentConfig"),
        name="DeploymentConfigName",
    ),
    "AWS::Signer::SigningProfile": Handler(
        "signer",
        _PROFILE,
        create=calls("PutSigningProfile", Operation("TagResource", ("Tags",))),
        update=calls(
            "GetSigningProfile",
            Operation("TagResource", ("Tags",)),
            Operation("UntagResource", ("Tags",)),
        ),
        delete=calls("GetSigningProfile", "CancelSigningProfile"),
        name="ProfileName",
    ),
}
