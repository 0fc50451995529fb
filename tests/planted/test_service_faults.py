"""Planted faults in the permissions of the service's own stack and deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.planted.delivered import HOOK
from tests.planted.policies import (
    TARGET,
    allow,
    get,
    properties,
    role,
    role_arn,
    service,
    session,
    statement,
    statements,
)

if TYPE_CHECKING:
    from tests.planted.delivery import Delivery


def test_the_functions_role_trusts_another_service(delivery: Delivery) -> None:
    """A trust policy that Lambda checks when a function's role is set."""
    template = delivery.edit("service")
    template["Resources"]["OtherRole"] = role("service-other", service("codebuild"))
    properties(template, "Function")["Role"] = get("OtherRole")
    released = delivery.release()
    assert released.failed[0] == "Deploy"
    resource, said = released.stack_failure()
    assert resource == "Function"
    assert "The role defined for the function cannot be assumed by Lambda." in said


def test_the_execution_role_may_not_create_a_resource(delivery: Delivery) -> None:
    """An execution role without the permissions of a new resource: the stack rolls back."""
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "service-jobs"}}
    delivery.edit("service")["Resources"]["Jobs"] = queue
    released = delivery.release()
    action, said = released.failed
    assert action == "Deploy"
    assert "UPDATE_ROLLBACK_COMPLETE" in said
    resource, reason = released.stack_failure()
    assert resource == "Jobs"
    assert f"User: {session(TARGET, 'delivery-execution')}AWSCloudFormation" in reason
    assert "because no identity-based policy allows the sqs:" in reason


def test_the_execution_role_may_only_create_roles_with_a_boundary(delivery: Delivery) -> None:
    """A condition on `iam:PermissionsBoundary` of the roles that a stack makes."""
    boundary = {"StringEquals": {"iam:PermissionsBoundary": f"arn:aws:iam::{TARGET}:policy/b"}}
    statement(delivery.edit("target"), "ExecutionRole", "Roles")["Condition"] = boundary
    delivery.edit("service")["Resources"]["OtherRole"] = role("service-other", service("lambda"))
    released = delivery.release()
    assert released.failed[0] == "Deploy"
    resource, reason = released.stack_failure()
    assert resource == "OtherRole"
    made = f"iam:CreateRole on resource: {role_arn(TARGET, 'service-other')}"
    assert f"is not authorized to perform: {made} because no identity-based policy" in reason


def test_the_hook_may_not_answer(delivery: Delivery) -> None:
    """A function's grant for another group: it fails in its log, and CodeDeploy waits an hour."""
    answer = statement(delivery.edit("service"), "HookRole", "Answer")
    answer["Resource"] = f"{answer['Resource']}-2"
    execution = delivery.begin()
    said = delivery.logged("delivery-hook", "is not authorized to perform: codedeploy:")
    assert f"User: {session(TARGET, 'service-hook')}delivery-hook" in said
    assert "codedeploy:PutLifecycleEventHookExecutionStatus on resource: arn:aws:codedeploy" in said
    delivery.stop_deployment()
    action, said = delivery.ended(execution).failed
    assert action == "Deploy"


def test_the_deployers_role_may_not_invoke_the_hook(delivery: Delivery) -> None:
    """The managed policy allows hooks named `CodeDeployHook_*`, and this has another name."""
    allowed = statement(delivery.edit("service"), "DeployerRole", "Hook")
    allowed["Resource"] = f"{HOOK}-2"
    _assert_role_is_refused(delivery, "AWSLambda")


def test_the_deployers_role_may_not_read_the_alarms(delivery: Delivery) -> None:
    """A policy in place of CodeDeploy's managed one, without `cloudwatch:DescribeAlarms`."""
    template = delivery.edit("service")
    properties(template, "DeployerRole")["ManagedPolicyArns"] = []
    alias = allow("Alias", "lambda:GetAlias lambda:UpdateAlias")
    statements(template, "DeployerRole").append(alias)
    _assert_role_is_refused(delivery, "AmazonCloudWatch")


def _assert_role_is_refused(delivery: Delivery, aws_service: str) -> None:
    released = delivery.release()
    action, said = released.failed
    assert action == "Deploy"
    error = released.deployment()["errorInformation"]
    assert error["code"] == "IAM_ROLE_PERMISSIONS"
    deployer = role_arn(TARGET, "service-deployer")
    refused = f"The IAM role {deployer} does not give you permission to perform operations in the"
    assert f"{refused} following AWS service: {aws_service}." in error["message"]
    assert released.stack_failure()[0] == "Alias"
    assert "UPDATE_ROLLBACK_COMPLETE" in said
