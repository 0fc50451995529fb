"""CloudFormation creates, updates and deletes resources as the stack's role."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from localcloud.cloudformation import schemas
from localcloud.cloudformation.handlers.catalogue import HANDLERS
from localcloud.cloudformation.handlers.handler import VERBS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from localcloud.server import LocalCloud

ACCOUNT, REGION = "111111111111", "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/execution"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/execution/AWSCloudFormation"
CREATE = {
    "iam:CreateRole",
    "iam:GetRole",
    "iam:PutRolePolicy",
    "logs:CreateLogGroup",
    "logs:DescribeLogGroups",
    "logs:PutRetentionPolicy",
    "ssm:GetParameters",
    "ssm:PutParameter",
}
DELETE = {
    "iam:DeleteRole",
    "iam:DeleteRolePolicy",
    "iam:GetRole",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
    "logs:DeleteLogGroup",
    "logs:DescribeLogGroups",
    "ssm:DeleteParameter",
}
WITHOUT_HANDLERS = {"AWS::CodeBuild::Project"}
"""Types whose schema has no handlers: CloudFormation uses its legacy ones."""
PREFIXES = {"monitoring": "cloudwatch"}
TRUST = {
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": "lambda.amazonaws.com"},
        }
    ]
}
TEMPLATE = {
    "Resources": {
        "Log": {
            "Type": "AWS::Logs::LogGroup",
            "Properties": {"LogGroupName": "log", "RetentionInDays": 7},
        },
        "Role": {
            "Type": "AWS::IAM::Role",
            "DependsOn": "Log",
            "Properties": {
                "AssumeRolePolicyDocument": TRUST,
                "Policies": [
                    {
                        "PolicyName": "p",
                        "PolicyDocument": {
                            "Statement": [
                                {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
                            ]
                        },
                    }
                ],
            },
        },
        "Parameter": {
            "Type": "AWS::SSM::Parameter",
            "DependsOn": "Role",
            "Properties": {"Name": "/a", "Type": "String", "Value": "x"},
        },
    }
}


class Account:
    """An account with an execution role, whose policy a test writes."""

    def __init__(self, server: LocalCloud) -> None:
        self.server = server
        self.iam = server.cloud.client("iam", ACCOUNT, REGION)
        self.client = server.cloud.client("cloudformation", ACCOUNT, REGION)
        self.make_role("execution", "cloudformation.amazonaws.com")

    def make_role(self, name: str, service: str) -> None:
        statement = {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": service},
        }
        self.iam.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=json.dumps(
                {"Version": "2012-10-17", "Statement": [statement]}
            ),
        )

    def allow(self, actions: Iterable[str], name: str = "execution") -> None:
        statement = {"Effect": "Allow", "Action": sorted(actions), "Resource": "*"}
        self.iam.put_role_policy(
            RoleName=name,
            PolicyName="p",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )

    def create(self, client: Any = None, **more: Any) -> str:
        """Create the stack and return its status."""
        caller = client or self.client
        caller.create_stack(
            StackName="s",
            TemplateBody=json.dumps(TEMPLATE),
            Capabilities=["CAPABILITY_IAM"],
            **({"RoleARN": ROLE} | more),
        )
        return self.status()

    def delete(self) -> str:
        """Delete the stack and return its status."""
        stack = self.client.describe_stacks(StackName="s")["Stacks"][0]["StackId"]
        self.client.delete_stack(StackName="s")
        return self.status(stack)

    def status(self, stack: str = "s") -> str:
        for thread in list(self.server.cloud.cloudformation.executions._running.values()):
            thread.thread.join(20)
        status: str = self.client.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
        return status

    def failures(self) -> list[tuple[str, str]]:
        """Return logical id and reason of each failed resource, in order."""
        events = self.client.describe_stack_events(StackName="s")["StackEvents"]
        return [
            (each["LogicalResourceId"], each["ResourceStatusReason"])
            for each in reversed(events)
            if each["ResourceStatus"].endswith("_FAILED") and each["LogicalResourceId"] != "s"
        ]


@pytest.fixture
def account(start_cloud: Callable[..., LocalCloud]) -> Account:
    return Account(start_cloud(services=("logs", "sts", "cloudformation"), iam="enforce"))


@pytest.mark.parametrize("type_name", sorted(HANDLERS.keys() - WITHOUT_HANDLERS))
def test_each_call_of_a_handler_is_named_in_its_schema(type_name: str) -> None:
    found = schemas.schema(REGION, type_name).get("handlers", {})
    named = {each for handler in found.values() for each in handler.get("permissions", [])}
    handler = HANDLERS[type_name]
    called = {
        f"{PREFIXES.get(service, service)}:{operation.name}"
        for verb in VERBS
        for operation in getattr(handler, verb)
        for service in (operation.service or handler.service,)
    }
    assert called - named == set()


def test_handler_permissions_suffice_to_create_and_delete_a_stack(account: Account) -> None:
    account.allow(CREATE)
    assert account.create() == "CREATE_COMPLETE"
    account.allow(DELETE)
    assert account.delete() == "DELETE_COMPLETE"


@pytest.mark.parametrize("action", sorted(CREATE))
def test_a_creation_fails_without_any_one_permission(account: Account, action: str) -> None:
    account.allow((CREATE | DELETE) - {action})
    assert account.create() == "ROLLBACK_COMPLETE"
    ((_, reason),) = account.failures()
    assert reason.startswith(
        f'Resource handler returned message: "User: {SESSION} is not authorized to perform: '
        f"{action} on resource: arn:aws:"
    )
    assert f"because no identity-based policy allows the {action} action" in reason
    assert reason.endswith("HandlerErrorCode: AccessDenied)")


def test_a_deletion_fails_with_the_role_of_the_creation(account: Account) -> None:
    account.allow(CREATE)
    assert account.create() == "CREATE_COMPLETE"
    assert account.delete() == "DELETE_FAILED"
    assert account.failures()[0][0] == "Parameter"
    assert "ssm:DeleteParameter" in account.failures()[0][1]


def test_a_rollback_without_delete_permissions_fails(account: Account) -> None:
    account.allow(CREATE - {"ssm:PutParameter"})
    assert account.create() == "ROLLBACK_FAILED"


def test_an_update_needs_permissions_only_for_changes(account: Account) -> None:
    account.allow(CREATE)
    assert account.create() == "CREATE_COMPLETE"
    changed = json.loads(json.dumps(TEMPLATE))
    changed["Resources"]["Log"]["Properties"]["RetentionInDays"] = 14
    account.allow({"logs:DescribeLogGroups"})
    account.client.update_stack(
        StackName="s", TemplateBody=json.dumps(changed), Capabilities=["CAPABILITY_IAM"]
    )
    assert account.status() == "UPDATE_ROLLBACK_COMPLETE"
    assert [name for name, _ in account.failures()] == ["Log"]
    assert "logs:PutRetentionPolicy" in account.failures()[0][1]


def test_without_a_role_the_callers_session_decides(account: Account) -> None:
    account.make_role("caller", "codebuild.amazonaws.com")
    account.allow({"cloudformation:*"} | CREATE - {"logs:CreateLogGroup"}, "caller")
    caller = account.server.cloud.credentials.assume(f"arn:aws:iam::{ACCOUNT}:role/caller", "build")
    client = account.server.cloud.client("cloudformation", ACCOUNT, REGION, caller)
    client.create_stack(
        StackName="s", TemplateBody=json.dumps(TEMPLATE), Capabilities=["CAPABILITY_IAM"]
    )
    assert account.status() == "ROLLBACK_COMPLETE"
    assert "assumed-role/caller/build is not authorized" in account.failures()[0][1]


def test_a_call_by_the_callers_session_is_via_cloudformation(account: Account) -> None:
    """A policy can allow calls by CloudFormation alone; a service role calls for itself."""
    account.make_role("caller", "codebuild.amazonaws.com")
    name, role = "caller", f"arn:aws:iam::{ACCOUNT}:role/caller"
    keys = {"aws:CalledVia": "cloudformation.amazonaws.com"}
    via = {"ForAnyValue:StringEquals": keys, "Bool": {"aws:ViaAWSService": "true"}}
    stated = [
        {"Effect": "Allow", "Resource": "*", "Action": ["cloudformation:*", "iam:PassRole"]},
        {"Effect": "Allow", "Resource": "*", "Action": sorted(CREATE | DELETE), "Condition": via},
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": stated})
    account.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy)
    caller = account.server.cloud.credentials.assume(role, "build")
    ssm = account.server.cloud.client("ssm", ACCOUNT, REGION, caller)
    with pytest.raises(ClientError, match="ssm:PutParameter"):
        ssm.put_parameter(Name="/a", Value="x", Type="String")
    client = account.server.cloud.client("cloudformation", ACCOUNT, REGION, caller)
    given = {"TemplateBody": json.dumps(TEMPLATE), "Capabilities": ["CAPABILITY_IAM"]}
    client.create_stack(StackName="s", **given)
    assert account.status() == "CREATE_COMPLETE"
    client.delete_stack(StackName="s")
    waiter = account.client.get_waiter("stack_delete_complete")
    waiter.wait(StackName="s", WaiterConfig={"Delay": 0.05, "MaxAttempts": 600})
    account.iam.put_role_policy(RoleName="execution", PolicyName="p", PolicyDocument=policy)
    assert account.create(client, RoleARN=ROLE) != "CREATE_COMPLETE"
    assert "assumed-role/execution/AWSCloudFormation is not authorized" in account.failures()[0][1]


def test_a_role_that_does_not_trust_cloudformation_is_rejected(account: Account) -> None:
    account.make_role("other", "lambda.amazonaws.com")
    role = f"arn:aws:iam::{ACCOUNT}:role/other"
    with pytest.raises(ClientError, match=f"Role {role} is invalid or cannot be assumed"):
        account.create(RoleARN=role)


def test_a_stored_parameter_is_read_by_the_role(account: Account) -> None:
    account.server.cloud.client("ssm", ACCOUNT, REGION).put_parameter(
        Name="/version", Type="String", Value="30"
    )
    template = {
        "Parameters": {
            "Version": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/version"}
        },
        "Resources": {"Log": {"Type": "AWS::Logs::LogGroup"}},
    }
    account.allow(CREATE - {"ssm:GetParameters"})
    text = "AccessDenied. User doesn't have permission to call ssm:GetParameters"
    with pytest.raises(ClientError, match=text):
        account.client.create_stack(StackName="s", TemplateBody=json.dumps(template), RoleARN=ROLE)
    account.allow(CREATE)
    account.client.create_stack(StackName="s", TemplateBody=json.dumps(template), RoleARN=ROLE)
    assert account.status() == "CREATE_COMPLETE"


def test_a_template_in_s3_is_read_by_the_caller(account: Account) -> None:
    s3 = account.server.cloud.client("s3", ACCOUNT, "us-east-1")
    s3.create_bucket(Bucket="templates")
    s3.put_object(Bucket="templates", Key="t", Body=json.dumps(TEMPLATE))
    account.make_role("caller", "codebuild.amazonaws.com")
    account.allow({"cloudformation:*", "iam:PassRole"}, "caller")
    caller = account.server.cloud.credentials.assume(f"arn:aws:iam::{ACCOUNT}:role/caller", "build")
    client = account.server.cloud.client("cloudformation", ACCOUNT, REGION, caller)
    with pytest.raises(ClientError, match="s3:GetObject"):
        client.create_stack(
            StackName="s",
            TemplateURL="https://s3.eu-west-1.amazonaws.com/templates/t",
            RoleARN=ROLE,
        )
