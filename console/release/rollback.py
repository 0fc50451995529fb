"""Move all traffic of an environment back to an earlier version, by CloudFormation.

The alias alone could be moved by one call. CloudFormation would not know of it, and a later
release that fails would make it set the alias back to the version that it knows. So the stack is
updated twice: without the alias's update policy, which moves the traffic at once and passes no
hook, alarm or pipeline; then with it again, for the next release.
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
_ROLLBACK = "codeDeployRollback"


@dataclass(frozen=True)
class Rollback:
    """Traffic that was moved back."""

    environment: str
    version: str
    """The version that had all traffic."""
    commit: str | None
    to_version: str
    to_commit: str | None


def roll_back(aws: Aws, what: Deployed, reason: str, to_version: str | None = None) -> Rollback:
    """Move all traffic to a version; by default to the one before the last promoted release.

    Raises:
        ConsoleError: a release is being deployed, there is no such version, or an update failed.
    """
    stack = service_stack(what.environment)
    if what.stack_status.endswith("_IN_PROGRESS"):
        raise ConsoleError(
            f"{stack}: found {what.stack_status}; a rollback needs a stack that is not being "
            "updated. Stop its shift, which moves the traffic back: aws deploy stop-deployment "
            "--auto-rollback-enabled --deployment-id ID (pithead status shows the ID)"
        )
    now = serving(aws, what)
    target = to_version or _before(aws, what, now.version)
    if target == now.version:
        raise ConsoleError(f"{what.environment}: version {target} has all traffic already")
    rollback = Rollback(
        what.environment, now.version, now.commit, target, commit_of(aws, what, target)
    )
    where = what.place.account, what.place.region
    cloudformation = aws.client("cloudformation", what.place, role=deploy_role(*where))
    template = cloudformation.get_template(StackName=stack, TemplateStage="Original")[
        "TemplateBody"
    ]
    description = f"Moved back from version {now.version}: {reason}"
    for each in (_pinned(template, target), _guarded(template, target, description)):
        _update(aws, what, cloudformation, each)
    return rollback


def _before(aws: Aws, what: Deployed, version: str) -> str:
    """Return the version that a version took over from, by CodeDeploy's last deployment of it."""
    codedeploy = aws.client("codedeploy", what.place)
    ids = codedeploy.list_deployments(
        applicationName=what.application,
        deploymentGroupName=what.deployment_group,
        includeOnlyStatuses=["Succeeded"],
    )["deployments"]
    infos = [codedeploy.get_deployment(deploymentId=each)["deploymentInfo"] for each in ids]
    for info in sorted(infos, key=lambda each: each["createTime"], reverse=True):
        if info.get("creator") == _ROLLBACK:
            continue
        deployment_id = info["deploymentId"]
        (target,) = codedeploy.list_deployment_targets(deploymentId=deployment_id)["targetIds"]
        found = codedeploy.get_deployment_target(deploymentId=deployment_id, targetId=target)
        shifted = found["deploymentTarget"]["lambdaTarget"]["lambdaFunctionInfo"]
        if shifted["targetVersion"] == version:
            before: str = shifted["currentVersion"]
            return before
    raise ConsoleError(
        f"{what.environment}: no deployment to version {version} is known, so the version before "
        "it is unknown. Name one: pithead rollback --version N"
    )


def _pinned(template: dict[str, Any], version: str) -> dict[str, Any]:
    """The template with the alias at a version, which no deployment shifts there."""
    pinned = copy.deepcopy(template)
    alias = _alias(pinned)
    alias.pop("UpdatePolicy", None)
    alias["Properties"]["FunctionVersion"] = version
    return pinned


def _guarded(template: dict[str, Any], version: str, description: str) -> dict[str, Any]:
    """The template with the alias at a version, and guarded as before.

    CloudFormation takes no update in which only the policy differs; the description does, too.
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


def _update(aws: Aws, what: Deployed, cloudformation: Any, template: dict[str, Any]) -> None:
    stack = service_stack(what.environment)
    cloudformation.update_stack(
        StackName=stack,
        TemplateURL=_published(aws, what, json.dumps(template).encode()),
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
        why = found.get("StackStatusReason") or "see the stack's events"
        raise ConsoleError(f"{stack}: its update ended as {status}: {why}")


def _published(aws: Aws, what: Deployed, body: bytes) -> str:
    """Upload a template, which may be larger than CloudFormation takes inline."""
    where = what.place.account, what.place.region
    s3 = aws.client("s3", what.place, role=publishing_role(*where))
    bucket = staging_bucket(*where)
    key = f"{hashlib.sha256(body).hexdigest()}.json"
    s3.put_object(Bucket=bucket, Key=key, Body=body)
    return f"{s3.meta.endpoint_url}/{bucket}/{key}"
