"""Planted faults of permissions between the pipeline, its actions and the target account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.planted.policies import (
    BUCKET,
    REGION,
    TARGET,
    TOOLING,
    properties,
    remove,
    role_arn,
    session,
    statement,
    trusting,
)
from tests.planted.stages import PIPELINE_ARN
from tests.planted.tooling import PROJECT_ARN

if TYPE_CHECKING:
    from tests.planted.delivery import Delivery

PIPELINE, DEPLOY = role_arn(TOOLING, "delivery-pipeline"), role_arn(TARGET, "delivery-deploy")
EXECUTION = role_arn(TARGET, "delivery-execution")
DEPLOYER = f"User: {session(TARGET, 'delivery-deploy')}"


@pytest.mark.parametrize(
    "narrowed",
    [
        {"Principal": {"AWS": "arn:aws:iam::333333333333:root"}},
        {"Condition": {"StringEquals": {"sts:ExternalId": "a-secret"}}},
    ],
    ids=["account", "external-id"],
)
def test_the_deploy_role_does_not_trust_the_pipeline(
    delivery: Delivery, narrowed: dict[str, Any]
) -> None:
    """A trust policy that names another account, or asks for an external id."""
    trusting(delivery.edit("target"), "DeployRole").update(narrowed)
    action, said = delivery.release().failed
    assert action == "Prepare"
    assert f"User: {session(TOOLING, 'delivery-pipeline')}" in said
    assert f"is not authorized to perform: sts:AssumeRole on resource: {DEPLOY}" in said


def test_the_pipelines_role_trusts_for_another_pipeline(delivery: Delivery) -> None:
    """A trust policy whose `aws:SourceArn` does not match."""
    other = {"ArnEquals": {"aws:SourceArn": f"{PIPELINE_ARN}-2"}}
    trusting(delivery.edit("tooling"), "PipelineRole")["Condition"] = other
    action, said = delivery.release().failed
    assert action == "Git"
    assert f"CodePipeline is not authorized to perform AssumeRole on role {PIPELINE}" in said


def test_the_source_may_not_use_the_connection(delivery: Delivery) -> None:
    """A grant for another connection."""
    other = f"{delivery.connection}0"
    statement(delivery.edit("tooling"), "SourceRole", "Connection")["Resource"] = other
    action, said = delivery.release().failed
    assert action == "Git"
    refused = f"Unable to use Connection: {delivery.connection}. The provided role does not have"
    assert said == f"{refused} sufficient permissions."


def test_the_build_may_not_be_started(delivery: Delivery) -> None:
    """An action role with a grant for the builds of another project."""
    statement(delivery.edit("tooling"), "StartBuildRole", "Build")["Resource"] = f"{PROJECT_ARN}-2"
    action, said = delivery.release().failed
    assert action == "Synth"
    user = f"User: {session(TOOLING, 'delivery-start-build')}"
    assert said.startswith(f"Error calling startBuild: {user}")
    assert f"codebuild:StartBuild on resource: {PROJECT_ARN} because no identity-based" in said
    assert "(Service: AWSCodeBuild; Status Code: 400; Error Code: AccessDeniedException" in said


def test_the_keys_policy_lacks_the_target_account(delivery: Delivery) -> None:
    """A KMS key policy, which the identity policy of another account's role does not replace."""
    remove(delivery.edit("tooling"), "Key", "Target")
    action, said = delivery.release().failed
    assert action == "Prepare"
    assert "The provided role does not have sufficient permissions." in said
    denied = f"{DEPLOYER}"
    assert denied in said
    assert f"is not authorized to perform: kms:Decrypt on resource: {delivery.key}" in said
    assert "because no resource-based policy allows the kms:Decrypt action" in said


def test_the_project_has_no_key_of_its_own(delivery: Delivery) -> None:
    """CodeBuild then encrypts with AWS's own key for S3, which no other account can use."""
    del properties(delivery.edit("tooling"), "Project")["EncryptionKey"]
    action, said = delivery.release().failed
    assert action == "Prepare"
    assert DEPLOYER in said
    key = f"arn:aws:kms:{REGION}:{TOOLING}:key/"
    assert f"is not authorized to perform: kms:Decrypt on resource: {key}" in said
    assert delivery.key not in said
    assert said.endswith("because no resource-based policy allows the kms:Decrypt action")


def test_the_buckets_policy_lacks_the_target_account(delivery: Delivery) -> None:
    """A bucket policy for another account; S3's message has no more across accounts."""
    remove(delivery.edit("tooling"), "ArtifactsPolicy", "Target")
    action, said = delivery.release().failed
    assert action == "Prepare"
    assert said.startswith("Unable to access the artifact with Amazon S3 object key 'delivery/")
    assert f"located in the Amazon S3 artifact bucket '{BUCKET}'. The provided role" in said
    assert said.endswith("Access Denied")


def test_the_deploy_role_may_not_pass_the_execution_role(delivery: Delivery) -> None:
    """A missing `iam:PassRole`."""
    remove(delivery.edit("target"), "DeployRole", "Pass")
    action, said = delivery.release().failed
    assert action == "Prepare"
    assert DEPLOYER in said
    reason = "because no identity-based policy allows the iam:PassRole action"
    assert f"is not authorized to perform: iam:PassRole on resource: {EXECUTION} {reason}" in said


def test_the_execution_role_may_be_passed_to_another_service(delivery: Delivery) -> None:
    """An `iam:PassRole` whose `iam:PassedToService` does not match."""
    to = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    statement(delivery.edit("target"), "DeployRole", "Pass")["Condition"] = to
    action, said = delivery.release().failed
    assert action == "Prepare"
    assert f"is not authorized to perform: iam:PassRole on resource: {EXECUTION}" in said


def test_a_role_of_the_tooling_account_is_passed(delivery: Delivery) -> None:
    """A role that is passed across accounts."""
    template = delivery.edit("tooling")
    prepare = properties(template, "Pipeline")["Stages"][2]["Actions"][0]
    prepare["Configuration"]["RoleArn"] = role_arn(TOOLING, "delivery-build")
    action, said = delivery.release().failed
    assert action == "Prepare"
    assert said.startswith("Cross-account pass role is not allowed. (Service: AmazonCloudFormation")


def test_stacks_are_allowed_in_another_region(delivery: Delivery) -> None:
    """A condition on `aws:RequestedRegion`."""
    there = {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}
    statement(delivery.edit("target"), "DeployRole", "Stacks")["Condition"] = there
    action, said = delivery.release().failed
    assert action == "Prepare"
    assert "is not authorized to perform: cloudformation:DescribeStacks on resource: " in said
    assert "because no identity-based policy allows the cloudformation:DescribeStacks" in said
