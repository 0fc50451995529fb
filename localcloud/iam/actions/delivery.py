"""Calls to the services of delivery: CloudFormation, CodePipeline, CodeBuild, CodeDeploy …"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.iam.actions.call import Call, Needed, pass_role

if TYPE_CHECKING:
    from localcloud.iam.actions.call import Facts

_STACKLESS = {
    "ListStacks", "ListExports", "ListImports", "ValidateTemplate", "ListTypes", "DescribeType",
    "DescribeAccountLimits", "CreateUploadBucket", "EstimateTemplateCost",
}  # fmt: skip
_STAGES = {
    "DisableStageTransition", "EnableStageTransition", "OverrideStageCondition",
    "RetryStageExecution", "RollbackStage",
}  # fmt: skip


def cloudformation(call: Call, facts: Facts) -> list[Needed]:
    """A stack is named with its id; one that does not exist yet by `*` in place of the id."""
    if call.operation in _STACKLESS:
        return [Needed(f"cloudformation:{call.operation}")]
    name = call.text("StackName", "StackId")
    change_set = call.text("ChangeSetName", "ChangeSetId")
    if change_set.startswith("arn:") and not name:
        return [Needed(f"cloudformation:{call.operation}", change_set)]
    if not name:
        return [Needed(f"cloudformation:{call.operation}", call.arn("cloudformation", "stack/*/*"))]
    stack = facts.stack(call.account, call.region, name)
    arn = stack or call.arn("cloudformation", f"stack/{name}/*")
    context = {
        "cloudformation:changesetname": [change_set] if change_set else [],
        "cloudformation:templateurl": call.texts("TemplateURL"),
        "cloudformation:rolearn": call.texts("RoleARN"),
        "cloudformation:resourcetypes": call.texts("ResourceTypes"),
    }
    given = {name: values for name, values in context.items() if values}
    found = [Needed(f"cloudformation:{call.operation}", arn, context=given)]
    if call.text("RoleARN"):
        found.append(pass_role(call.text("RoleARN"), "cloudformation.amazonaws.com"))
    return found


def codepipeline(call: Call, facts: Facts) -> list[Needed]:
    """A pipeline, its stage (`NAME/STAGE`) or its action (`NAME/STAGE/ACTION`)."""
    del facts
    structure = call.parameters.get("pipeline") or {}
    name = call.text("pipelineName", "name") or structure.get("name", "")
    if not name:
        return [Needed(f"codepipeline:{call.operation}", call.text("resourceArn") or "*")]
    arn = call.arn("codepipeline", name)
    if call.operation in _STAGES:
        arn += f"/{call.text('stageName')}"
    if call.operation == "PutApprovalResult":
        arn += f"/{call.text('stageName')}/{call.text('actionName')}"
    found = [Needed(f"codepipeline:{call.operation}", arn)]
    if structure:
        found.append(pass_role(structure.get("roleArn", ""), "codepipeline.amazonaws.com"))
    return found


def codebuild(call: Call, facts: Facts) -> list[Needed]:
    """A project, by its name or by a build's id, or a report group."""
    del facts
    projects = [each.rsplit("/", 1)[-1].split(":")[0] for each in call.texts("ids", "id")]
    projects += call.texts("projectName", "names", "name")
    reports = call.texts("reportArns", "reportGroupArns", "reportArn", "reportGroupArn")
    resources = [f"project/{each}" for each in projects]
    if "Report" in call.operation:
        groups = [each.split(":report")[-1].split("/", 1)[-1].split(":")[0] for each in reports]
        resources = [f"report-group/{each}" for each in groups + call.texts("name")]
    found = [
        Needed(f"codebuild:{call.operation}", call.arn("codebuild", each)) for each in resources
    ]
    if call.operation in {"CreateProject", "UpdateProject"} and call.text("serviceRole"):
        found.append(pass_role(call.text("serviceRole"), "codebuild.amazonaws.com"))
    return found or [Needed(f"codebuild:{call.operation}")]


def codedeploy(call: Call, facts: Facts) -> list[Needed]:
    """A deployment group, also for what names a deployment alone; an application; a configuration.

    The Service Authorization Reference names the deployment group for targets and hooks too.
    """
    action = f"codedeploy:{call.operation}"
    configuration = call.text("deploymentConfigName")
    if "DeploymentConfig" in call.operation:
        resource = f"deploymentconfig:{configuration}" if configuration else ""
        return [Needed(action, call.arn("codedeploy", resource) if resource else "*")]
    found = []
    for deployment in call.texts("deploymentIds", "deploymentId"):
        application, group = facts.deployment_group(call.account, call.region, deployment)
        found.append(Needed(action, call.arn("codedeploy", _group(application, group))))
    if found:
        return found
    application = call.text("applicationName")
    group = call.text("deploymentGroupName", "currentDeploymentGroupName")
    groups = call.texts("deploymentGroupNames")
    if application and (group or groups):
        found = [
            Needed(action, call.arn("codedeploy", _group(application, each)))
            for each in groups or [group]
        ]
        if call.text("serviceRoleArn"):
            found.append(pass_role(call.text("serviceRoleArn"), "codedeploy.amazonaws.com"))
        return found
    if application:
        return [Needed(action, call.arn("codedeploy", f"application:{application}"))]
    return [Needed(action)]


def codeconnections(call: Call, facts: Facts) -> list[Needed]:
    """A connection or a repository link by its ARN."""
    del facts
    resource = call.text("ConnectionArn", "ResourceArn", "HostArn")
    link = call.text("RepositoryLinkId")
    if link:
        resource = call.arn(call.service, f"repository-link/{link}")
    return [Needed(f"{call.service}:{call.operation}", resource or "*")]


def use_connection(arn: str, repository: str, branch: str = "", action: str = "GitPull") -> Needed:
    """`UseConnection`, with the prefix that the connection's ARN has ("Connections rename")."""
    service = arn.split(":")[2]
    context = {
        f"{service}:fullrepositoryid": [repository],
        f"{service}:provideraction": [action],
        f"{service}:providerpermissionsrequired": [
            "read_only" if action == "GitPull" else "read_write"
        ],
    }
    if branch:
        context[f"{service}:branchname"] = [branch]
    return Needed(f"{service}:UseConnection", arn, context=context)


def signer(call: Call, facts: Facts) -> list[Needed]:
    """A signing profile with its version, or a signing job."""
    profile, job = call.text("profileName"), call.text("jobId")
    resource = f"/signing-profiles/{profile}" if profile else f"/signing-jobs/{job}" if job else ""
    version = facts.signing_profile_version(call.account, call.region, profile) if profile else ""
    context = {"signer:profileversion": [version]} if version else {}
    arn = call.arn("signer", resource) if resource else "*"
    return [Needed(f"signer:{call.operation}", arn, context=context)]


def _group(application: str, group: str) -> str:
    return f"deploymentgroup:{application or '*'}/{group or '*'}"
