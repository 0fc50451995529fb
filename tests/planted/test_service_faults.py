"""Planted faults of permissions that the service's own stack and deployment meet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.planted.policies import TARGET, remove, session, trusting
from tests.planted.target import HOOK

if TYPE_CHECKING:
    from tests.planted.delivery import Delivery


def test_the_functions_role_trusts_another_service(delivery: Delivery) -> None:
    """A trust policy that Lambda asks for when the function is changed."""
    template = delivery.edit("service")
    trusting(template, "HookRole")["Principal"] = {"Service": "codebuild.amazonaws.com"}
    released = delivery.release()
    assert released.failed[0] == "Deploy"
    print(released.failed, released.stack_failure())


def test_the_hook_may_not_answer(delivery: Delivery) -> None:
    """A missing grant of a function: it fails in its log, and CodeDeploy waits for an hour."""
    remove(delivery.edit("service"), "HookRole", "Answer")
    released = delivery.release()
    assert released.failed[0] == "Deploy"
    deployed = released.deployment()
    assert deployed["errorInformation"]["code"] == "HOOK_EXECUTION_FAILURE"
    said = delivery.function_log("delivery-hook")
    assert f"User: {session(TARGET, 'service-hook')}delivery-hook" in said
    assert "codedeploy:PutLifecycleEventHookExecutionStatus" in said
    assert HOOK
