"""Planted faults in the permissions of rules and alarms, which the pipeline does not show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.planted.policies import REGION, TOOLING, properties, session, statement
from tests.planted.stages import PIPELINE_ARN
from tests.planted.target import TOPIC

if TYPE_CHECKING:
    from tests.planted.delivery import Delivery


def test_the_rules_role_may_start_another_pipeline(delivery: Delivery) -> None:
    """A role of EventBridge; the event is in the dead-letter queue, and no execution begins."""
    start = statement(delivery.edit("tooling"), "StartRole", "Start")
    start["Resource"] = f"{PIPELINE_ARN}-2"
    delivery.deploy()
    assert delivery.announce() is None
    target, code, said = delivery.buried()[-1]
    assert (target, code) == (PIPELINE_ARN, "NO_PERMISSIONS")
    assert said.startswith(f"User: {session(TOOLING, 'delivery-start')}")
    action = "codepipeline:StartPipelineExecution"
    reason = f"because no identity-based policy allows the {action} action"
    assert said.endswith(f"to perform: {action} on resource: {PIPELINE_ARN} {reason}")


def test_the_function_allows_another_rule_to_invoke_it(delivery: Delivery) -> None:
    """A Lambda permission with another `AWS:SourceArn`: the release succeeds without a notice."""
    rule = f"arn:aws:events:{REGION}:{TOOLING}:rule"
    properties(delivery.edit("tooling"), "NoticePermission")["SourceArn"] = f"{rule}/other"
    before = len(delivery.buried())
    released = delivery.release()
    assert released.status == "Succeeded", released.failed
    delivery.until(lambda: len(delivery.buried()) > before)
    target, code, said = delivery.buried()[-1]
    assert target.endswith(":function:delivery-notice")
    assert code == "NO_PERMISSIONS"
    assert f"for {rule}/released" in said


def test_the_topic_allows_alarms_of_another_account_to_publish(delivery: Delivery) -> None:
    """A topic's policy; the alarm's history holds the failed action."""
    allowed = statement(delivery.edit("target"), "TopicPolicy", "Alarms")
    allowed["Condition"]["StringEquals"]["aws:SourceAccount"] = TOOLING
    delivery.deploy()
    with delivery.alarming() as action:
        said = action["HistorySummary"]
    assert said.startswith(f"Failed to execute action {TOPIC}. Received error: ")
    assert f"is not authorized to perform: SNS:Publish on resource: {TOPIC}" in said
    assert "because no resource-based policy allows the SNS:Publish action" in said
