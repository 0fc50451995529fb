"""The rollback of an environment to an earlier version, by CloudFormation.

One call could move the alias, but CloudFormation's record of it would then be wrong: if a later
release failed, CloudFormation would set the alias back to the recorded version. So the stack is
updated twice. The first update has no update policy of the alias; it moves the traffic at once,
without a hook, alarm or pipeline. The second update restores the policy for the next release.
"""

from __future__ import annotations

import copy
import hashlib
import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from console.aws.deployed import commit_of, serving
from console.errors import ConsoleError
from pipeline.names import ALIAS, deploy_role, publishing_role, service_stack, staging_bucket

if TYPE_CHECKING:
    from console.aws.account import Aws
    from console.aws.deployed import Deployed

_POLL_INTERVAL_SECONDS = 1.0
_MAX_DESCRIPTION_CHARACTERS = 256
_ROLLBACK_CREATOR = "codeDeployRollback"


@dataclass(frozen=True)
class Rollback:
    """A completed rollback."""

    environment: str
    version: str
    """The version that had the traffic before."""
    commit: str | None
    to_version: str
    to_commit: str | None


def roll_back(aws: Aws, service: Deployed, reason: str, to_version: str | None = None) -> Rollback:
    """Move all traffic to a version; by default the one before the last release.

    Raises:
        ConsoleError: the stack is being updated, the version is unknown or has all traffic, or an
            update failed.
    """
    stack = service_stack(service.environment)
    if service.stack_status.endswith("_IN_PROGRESS"):
        raise ConsoleError(
            f"{stack}: found {service.stack_status}; a rollback needs a stack that is not being "
            "updated. To stop its shift, which moves the traffic back, run aws deploy "
            "stop-deployment --auto-rollback-enabled --deployment-id ID (pithead status prints "
            "the ID)"
        )
    now = serving(aws, service)
    target = to_version or _version_before(aws, service, now.version)
    if target == now.version:
        raise ConsoleError(
            f"{service.environment}: version {target} has all traffic already. Name another with "
            "--version"
        )
    rollback = Rollback(
        service.environment, now.version, now.commit, target, commit_of(aws, service, target)
    )
    where = service.place.account, service.place.region
    cloudformation = aws.client("cloudformation", service.place, role=deploy_role(*where))
    template = cloudformation.get_template(StackName=stack, TemplateStage="Original")[
        "TemplateBody"
    ]
    description = f"Moved back from version {now.version}: {reason}"
    for each in (_pinned(template, target), _guarded(template, target, description)):
        _update(aws, service, cloudformation, each)
    return rollback


def _version_before(aws: Aws, service: Deployed, version: str) -> str:
    """Return the version that CodeDeploy's last deployment of a version replaced."""
    codedeploy = aws.client("codedeploy", service.place)
    ids = codedeploy.list_deployments(
        applicationName=service.application,
        deploymentGroupName=service.deployment_group,
        includeOnlyStatuses=["Succeeded"],
    )["deployments"]
    infos = [codedeploy.get_deployment(deploymentId=each)["deploymentInfo"] for each in ids]
    for info in sorted(infos, key=lambda each: each["createTime"], reverse=True):
        if info.get("creator") == _ROLLBACK_CREATOR:
            continue
        deployment_id = info["deploymentId"]
        (target,) = codedeploy.list_deployment_targets(deploymentId=deployment_id)["targetIds"]
        found = codedeploy.get_deployment_target(deploymentId=deployment_id, targetId=target)
        versions = found["deploymentTarget"]["lambdaTarget"]["lambdaFunctionInfo"]
        if versions["targetVersion"] == version:
            before: str = versions["currentVersion"]
            return before
    raise ConsoleError(
        f"{service.environment}: found no deployment to version {version}, so the version before "
        "it is unknown. Name it with --version"
    )


def _pinned(template: dict[str, Any], version: str) -> dict[str, Any]:
    """Return the template with the alias at a version and without its update policy."""
    pinned = copy.deepcopy(template)
    alias = _alias(pinned)
    alias.pop("UpdatePolicy", None)
    alias["Properties"]["FunctionVersion"] = version
    return pinned


def _guarded(template: dict[str, Any], version: str, description: str) -> dict[str, Any]:
    """Return the template with the alias at a version and with its update policy.

    The description changes too, because CloudFormation rejects an update that changes only the
    policy.
    """
    guarded = copy.deepcopy(template)
    _alias(guarded)["Properties"] |= {
        "FunctionVersion": version,
        "Description": description[:_MAX_DESCRIPTION_CHARACTERS],
    }
    return guarded


def _alias(template: dict[str, Any]) -> dict[str, Any]:
    alias: dict[str, Any]
    (alias,) = (
        each
        for each in template["Resources"].values()
        if each["Type"] == "AWS::Lambda::Alias" and each["Properties"]["Name"] == ALIAS
    )
    return alias


def _update(aws: Aws, service: Deployed, cloudformation: Any, template: dict[str, Any]) -> None:
    stack = service_stack(service.environment)
    cloudformation.update_stack(
        StackName=stack,
        TemplateURL=_published(aws, service, json.dumps(template).encode()),
        Parameters=[
            {"ParameterKey": each, "UsePreviousValue": True}
            for each in template.get("Parameters") or {}
        ],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    while True:
        (found,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        status = found["StackStatus"]
        if not status.endswith("_IN_PROGRESS"):
            break
        threading.Event().wait(_POLL_INTERVAL_SECONDS)
    if status != "UPDATE_COMPLETE":
        reason = found.get("StackStatusReason") or "see the stack's events"
        raise ConsoleError(f"{stack}: its update ended as {status}: {reason}")


def _published(aws: Aws, service: Deployed, body: bytes) -> str:
    """Upload a template, which may be too large to pass inline, and return its URL."""
    where = service.place.account, service.place.region
    s3 = aws.client("s3", service.place, role=publishing_role(*where))
    bucket = staging_bucket(*where)
    key = f"{hashlib.sha256(body).hexdigest()}.json"
    s3.put_object(Bucket=bucket, Key=key, Body=body)
    return f"{s3.meta.endpoint_url}/{bucket}/{key}"
