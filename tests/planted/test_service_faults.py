"""Planted faults of permissions that the service's own stack and deployment meet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.planted.policies import TARGET, get, properties, remove, role, service, session

if TYPE_CHECKING:
    from tests.planted.delivery import Delivery


def test_the_functions_role_trusts_another_service(delivery: Delivery) -> None:
    """A trust policy that Lambda asks for when a function is given a role."""
    template = delivery.edit("service")
    template["Resources"]["OtherRole"] = role("service-other", service("codebuild"))
    properties(template, "Function")["Role"] = get("OtherRole")
    released = delivery.release()
    assert released.failed[0] == "Deploy"
    resource, said = released.stack_failure()
    assert resource == "Function"
    assert "The role defined for the function cannot be assumed by Lambda." in said


def test_the_hook_may_not_answer(delivery: Delivery) -> None:
    """A missing grant of a function: it fails in its log, and CodeDeploy waits for an hour."""
    remove(delivery.edit("service"), "HookRole", "Answer")
    execution = delivery.begin()
    said = delivery.logged("delivery-hook", "is not authorized to perform: codedeploy:")
    assert f"User: {session(TARGET, 'service-hook')}delivery-hook" in said
    assert "codedeploy:PutLifecycleEventHookExecutionStatus on resource: arn:aws:codedeploy" in said
    delivery.stop_deployment()
    action, said = delivery.ended(execution).failed
    assert action == "Deploy"
