"""Conditions on the tags of requests and resources."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from localcloud.iam.actions.call import Call
from localcloud.iam.actions.needed import request_tags

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.server import LocalCloud

ACCOUNT, REGION = "111111111111", "eu-west-1"
MINE = {"StringEquals": {"aws:ResourceTag/team": "mine"}}
SERVICES = ("sts", "logs", "codeconnections", "codebuild", "codepipeline", "codedeploy")


@pytest.fixture
def server(start_cloud: Callable[..., LocalCloud]) -> LocalCloud:
    return start_cloud(services=SERVICES, iam="enforce")


def role(server: LocalCloud, action: str, condition: dict[str, Any]) -> Callable[[str], Any]:
    """Return a function that creates clients of a role with these permissions."""
    cloud = server.cloud
    iam = cloud.client("iam", ACCOUNT, REGION)
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ACCOUNT}}
    allow = {"Effect": "Allow", "Action": action, "Resource": "*", "Condition": condition}
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=document(trust))
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=document(allow))
    session = cloud.credentials.assume(f"arn:aws:iam::{ACCOUNT}:role/r", "me")
    return lambda service: cloud.client(service, ACCOUNT, REGION, session)


def document(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def denied(call: Callable[..., Any], **parameters: Any) -> bool:
    """Return whether IAM denies a call; other errors are ignored."""
    try:
        call(**parameters)
    except ClientError as error:
        return "is not authorized to perform" in error.response["Error"]["Message"]
    return False


def _key(server: LocalCloud, tags: dict[str, str]) -> dict[str, Any]:
    kms = server.cloud.client("kms", ACCOUNT, REGION)
    root = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    policy = {"Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"}
    made = kms.create_key(
        Policy=document(policy),
        Tags=[{"TagKey": key, "TagValue": value} for key, value in tags.items()],
    )
    return {"KeyId": made["KeyMetadata"]["KeyId"]}


def _topic(server: LocalCloud, tags: dict[str, str]) -> dict[str, Any]:
    sns = server.cloud.client("sns", ACCOUNT, REGION)
    return {
        "TopicArn": sns.create_topic(Name="/".join(tags) or "t", Tags=_listed(tags))["TopicArn"]
    }


def _queue(server: LocalCloud, tags: dict[str, str]) -> dict[str, Any]:
    sqs = server.cloud.client("sqs", ACCOUNT, REGION)
    return {"QueueUrl": sqs.create_queue(QueueName=f"q-{len(tags)}", tags=tags)["QueueUrl"]}


def _secret(server: LocalCloud, tags: dict[str, str]) -> dict[str, Any]:
    client = server.cloud.client("secretsmanager", ACCOUNT, REGION)
    name = f"s-{len(tags)}"
    client.create_secret(Name=name, SecretString="s", Tags=_listed(tags))
    return {"SecretId": name}


def _parameter(server: LocalCloud, tags: dict[str, str]) -> dict[str, Any]:
    name = f"/p/{len(tags)}"
    server.cloud.client("ssm", ACCOUNT, REGION).put_parameter(
        Name=name, Value="v", Type="String", Tags=_listed(tags)
    )
    return {"Name": name}


def _connection(server: LocalCloud, tags: dict[str, str]) -> dict[str, Any]:
    connections = server.cloud.codeconnections
    return {"ConnectionArn": connections.create(ACCOUNT, REGION, "c", "GitHub", tags)}


def _application(server: LocalCloud, tags: dict[str, str]) -> dict[str, Any]:
    name = f"a-{len(tags)}"
    server.cloud.client("codedeploy", ACCOUNT, REGION).create_application(
        applicationName=name, computePlatform="Lambda", tags=_listed(tags)
    )
    return {"applicationName": name}


def _listed(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


@pytest.mark.parametrize(
    ("make", "service", "method"),
    [
        (_key, "kms", "describe_key"),
        (_topic, "sns", "get_topic_attributes"),
        (_queue, "sqs", "get_queue_attributes"),
        (_secret, "secretsmanager", "get_secret_value"),
        (_parameter, "ssm", "get_parameter"),
        (_connection, "codeconnections", "get_connection"),
        (_application, "codedeploy", "get_application"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_policy_decides_by_the_tags_of_a_resource(
    server: LocalCloud, make: Callable[..., dict[str, Any]], service: str, method: str
) -> None:
    client = role(server, f"{service}:*", MINE)(service)
    call = getattr(client, method)
    assert denied(call, **make(server, {}))
    assert not denied(call, **make(server, {"team": "mine"}))


def test_a_policy_decides_by_the_tags_of_a_request(server: LocalCloud) -> None:
    condition = {
        "StringEquals": {"aws:RequestTag/team": "mine"},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["team"]},
    }
    client = role(server, "ssm:PutParameter", condition)("ssm")
    parameter = {"Name": "/p", "Value": "v", "Type": "String"}
    assert denied(client.put_parameter, **parameter)
    assert denied(client.put_parameter, **parameter, Tags=_listed({"team": "theirs"}))
    assert denied(client.put_parameter, **parameter, Tags=_listed({"team": "mine", "more": "x"}))
    assert not denied(client.put_parameter, **parameter, Tags=_listed({"team": "mine"}))


@pytest.mark.parametrize(
    ("parameters", "keys"),
    [
        ({}, {}),
        ({"Tags": {"A": "b"}}, {"aws:requesttag/a": ["b"], "aws:tagkeys": ["A"]}),
        ({"tags": [{"key": "a", "value": "b"}]}, {"aws:requesttag/a": ["b"], "aws:tagkeys": ["a"]}),
        (
            {"Tags": [{"TagKey": "a", "TagValue": "b"}]},
            {"aws:requesttag/a": ["b"], "aws:tagkeys": ["a"]},
        ),
        ({"tagKeys": ["a", "b"]}, {"aws:tagkeys": ["a", "b"]}),
    ],
    ids=["none", "map", "list", "kms", "untag"],
)
def test_tags_are_read_in_each_services_form(
    parameters: dict[str, Any], keys: dict[str, list[str]]
) -> None:
    assert request_tags(Call("any", "Tag", ACCOUNT, REGION, parameters)) == keys
