"""Planted faults in the permissions of the build."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.planted.policies import (
    ASSETS,
    BUCKET,
    REGION,
    TARGET,
    TOOLING,
    allow,
    document,
    properties,
    remove,
    role_arn,
    session,
    statement,
    statements,
    trusting,
)
from tests.planted.tooling import PARAMETER, SECRET

if TYPE_CHECKING:
    from tests.planted.delivery import Delivery

BUILD = f"User: {session(TOOLING, 'delivery-build')}"


def _unallowed(action: str, kind: str = "identity-based policy") -> str:
    return f"because no {kind} allows the {action} action"


def test_the_build_may_not_read_the_artifacts(delivery: Delivery) -> None:
    """A missing grant."""
    remove(delivery.edit("tooling"), "BuildRole", "Artifacts")
    phase, said = delivery.release().build_failure
    assert phase == "DOWNLOAD_SOURCE"
    assert BUILD in said
    assert f"is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::{BUCKET}/" in said
    assert _unallowed("s3:GetObject") in said


def test_the_build_may_read_another_parameter(delivery: Delivery) -> None:
    """A wrong resource ARN."""
    parameter = f"arn:aws:ssm:{REGION}:{TOOLING}:parameter"
    statement(delivery.edit("tooling"), "BuildRole", "Parameter")["Resource"] = f"{parameter}/else"
    action, said = delivery.release().failed
    assert action == "Synth"
    failed = "FAILED. Phase: DOWNLOAD_SOURCE, Code: Decrypted Variables Error, Message: "
    assert f"{failed}AccessDeniedException: {BUILD}AWSCodeBuild-" in said
    assert f"on resource: {parameter}{PARAMETER} {_unallowed('ssm:GetParameters')}" in said


def test_the_builds_role_trusts_another_service(delivery: Delivery) -> None:
    """A trust policy that names another service."""
    principal = {"Service": "codedeploy.amazonaws.com"}
    trusting(delivery.edit("tooling"), "BuildRole")["Principal"] = principal
    action, said = delivery.release().failed
    assert action == "Synth"
    role = role_arn(TOOLING, "delivery-build")
    assert f"CodeBuild is not authorized to perform: sts:AssumeRole on {role}" in said


def test_the_builds_key_is_granted_through_another_region(delivery: Delivery) -> None:
    """A grant of a KMS key whose `kms:ViaService` does not match."""
    through = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
    statement(delivery.edit("tooling"), "BuildRole", "Key")["Condition"] = through
    phase, said = delivery.release().build_failure
    assert phase == "DOWNLOAD_SOURCE"
    assert f"kms:Decrypt on resource: {delivery.key} {_unallowed('kms:Decrypt')}" in said


def test_the_builds_boundary_lacks_an_action(delivery: Delivery) -> None:
    """A permissions boundary."""
    template = delivery.edit("tooling")
    bounded = allow("All", "", "*") | {"NotAction": "secretsmanager:*"}
    del bounded["Action"]
    template["Resources"]["Boundary"] = {
        "Type": "AWS::IAM::ManagedPolicy",
        "Properties": {"ManagedPolicyName": "boundary", "PolicyDocument": document(bounded)},
    }
    properties(template, "BuildRole")["PermissionsBoundary"] = {"Ref": "Boundary"}
    _, said = delivery.release().build_failure
    assert _unallowed("secretsmanager:GetSecretValue", "permissions boundary") in said


def test_the_secret_is_denied_to_all_but_another_role(delivery: Delivery) -> None:
    """A secret's resource policy, by `aws:PrincipalArn`."""
    other = {"ArnNotEquals": {"aws:PrincipalArn": role_arn(TOOLING, "delivery-other")}}
    policy = allow("Others", "secretsmanager:GetSecretValue", Principal="*", Condition=other)
    client = delivery.client("secretsmanager")
    client.put_resource_policy(
        SecretId=SECRET, ResourcePolicy=json.dumps(document(policy | {"Effect": "Deny"}))
    )
    try:
        _, said = delivery.release().build_failure
    finally:
        client.delete_resource_policy(SecretId=SECRET)
    assert "secretsmanager:GetSecretValue on resource: arn:aws:secretsmanager:" in said
    assert "with an explicit deny in a resource-based policy" in said


def test_the_bucket_denies_objects_that_are_encrypted_otherwise(delivery: Delivery) -> None:
    """A bucket policy that denies by the header of the encryption."""
    policy = statements(delivery.edit("target"), "AssetsPolicy")
    unencrypted = {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}
    objects = f"arn:aws:s3:::{ASSETS}/*"
    denied = allow("Kms", "s3:PutObject", objects, Principal="*", Condition=unencrypted)
    policy.append(denied | {"Effect": "Deny"})
    released = delivery.release()
    assert released.failed[0] == "Synth"
    user = f"User: {session(TARGET, 'delivery-publish')}publish"
    assert f"{user} is not authorized to perform: s3:PutObject on resource: " in released.build_log
    assert "with an explicit deny in a resource-based policy" in released.build_log


def test_a_session_policy_does_not_allow_to_publish(delivery: Delivery) -> None:
    """A session policy, which the build gives to the session that publishes."""
    delivery.publishing["action"] = "s3:GetObject"
    assert _unallowed("s3:PutObject", "session policy") in delivery.release().build_log


def test_the_publishing_role_is_tagged_otherwise(delivery: Delivery) -> None:
    """A condition on the tag of CDK's bootstrap role."""
    (tag,) = properties(delivery.edit("target"), "PublishRole")["Tags"]
    tag["Value"] = "image-publishing"
    said = delivery.release().build_log
    assert f"{BUILD}AWSCodeBuild-" in said
    role = role_arn(TARGET, "delivery-publish")
    assert f"is not authorized to perform: sts:AssumeRole on resource: {role}" in said


def test_the_build_may_not_write_its_log(delivery: Delivery) -> None:
    """A grant of logs for another project."""
    other = f"arn:aws:logs:{REGION}:{TOOLING}:log-group:/aws/codebuild/other:*"
    statement(delivery.edit("tooling"), "BuildRole", "Logs")["Resource"] = other
    action, said = delivery.release().failed
    assert action == "Synth"
    role = role_arn(TOOLING, "delivery-build")
    refused = f"Service role {role} does not allow AWS CodeBuild to create Amazon CloudWatch Logs"
    assert f"FAILED. Phase: QUEUED, Code: ACCESS_DENIED, Message: {refused} log streams" in said
    assert f"Error message: {BUILD}" in said
    assert _unallowed("logs:CreateLogStream") in said


def test_the_build_may_not_use_the_connection(delivery: Delivery) -> None:
    """A missing grant for a full clone, which the build's role needs."""
    remove(delivery.edit("tooling"), "BuildRole", "Connection")
    released = delivery.release()
    assert released.failed[0] == "Synth"
    phase, said = released.build_failure
    assert phase == "DOWNLOAD_SOURCE"
    assert said.startswith("authorization failed for primary source and source version")
