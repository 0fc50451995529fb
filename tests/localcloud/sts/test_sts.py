from __future__ import annotations

import json
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import boto3
import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.compose import Cloud
    from localcloud.server import LocalCloud

TOOLS, PROD, REGION = "111111111111", "222222222222", "eu-west-1"
ROLE = f"arn:aws:iam::{PROD}:role/deploy"


@pytest.fixture
def server(start_cloud: Callable[..., LocalCloud]) -> LocalCloud:
    return start_cloud(services=("logs", "sts"))


def _trust(cloud: Cloud, *statements: dict[str, Any], name: str = "deploy", **more: Any) -> None:
    stated = [{"Effect": "Allow", "Action": "sts:AssumeRole"} | each for each in statements]
    document = {"Version": "2012-10-17", "Statement": stated[0] if len(stated) == 1 else stated}
    cloud.client("iam", PROD, REGION).create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps(document), **more
    )


def _assume(cloud: Cloud, session: Any = None, role: str = ROLE, **more: Any) -> Any:
    sts = cloud.client("sts", TOOLS, REGION, session)
    return sts.assume_role(RoleArn=role, RoleSessionName="me", **more)


def _session(cloud: Cloud, answer: Any) -> Any:
    return cloud.credentials.session(answer["Credentials"]["AccessKeyId"])


def test_the_callers_identity(server: LocalCloud) -> None:
    cloud = server.cloud
    told = cloud.client("sts", TOOLS, REGION).get_caller_identity()
    assert (told["Account"], told["Arn"]) == (TOOLS, f"arn:aws:iam::{TOOLS}:root")
    _trust(cloud, {"Principal": {"AWS": f"arn:aws:iam::{TOOLS}:root"}})
    session = _session(cloud, _assume(cloud))
    told = cloud.client("sts", PROD, REGION, session).get_caller_identity()
    assert told["Arn"] == f"arn:aws:sts::{PROD}:assumed-role/deploy/me"
    assert told["Account"] == PROD
    # The role acts in its own account.
    cloud.client("ssm", PROD, REGION, session).put_parameter(Name="p", Value="v", Type="String")
    assert cloud.client("ssm", PROD, REGION).get_parameter(Name="p")["Parameter"]["Value"] == "v"
    assert cloud.client("ssm", TOOLS, REGION).describe_parameters()["Parameters"] == []


def test_a_session_survives_a_restart(
    start_cloud: Callable[..., LocalCloud], server: LocalCloud
) -> None:
    _trust(server.cloud, {"Principal": {"AWS": TOOLS}})
    answer = _assume(server.cloud)
    session = _session(server.cloud, answer)
    server.stop()
    again = start_cloud(services=("logs", "sts"))
    assert _session(again.cloud, answer) == session


def test_the_keys_of_a_session_last_as_long_as_asked(server: LocalCloud) -> None:
    _trust(server.cloud, {"Principal": {"AWS": TOOLS}})
    answer = _assume(server.cloud, DurationSeconds=900)
    session = _session(server.cloud, answer)
    assert session.expires == pytest.approx(answer["Credentials"]["Expiration"].timestamp(), abs=1)
    assert session.expires - session.issued == pytest.approx(900)
    service = server.cloud.credentials.assume(ROLE, "build")
    assert service.expires is None


def test_an_expired_session_is_rejected_by_each_protocol(server: LocalCloud) -> None:
    cloud = server.cloud
    _trust(cloud, {"Principal": {"AWS": TOOLS}})
    session = _session(cloud, _assume(cloud))
    client = partial(cloud.client, account=PROD, region=REGION, session=session)
    assert client("sts").get_caller_identity()["Account"] == PROD
    cloud.credentials._sessions[session.access_key] = replace(session, expires=time.time() - 1)
    message = "The security token included in the request is expired"
    for call, expected in (
        (client("sts").get_caller_identity, (403, "ExpiredToken", message)),
        (client("ssm").describe_parameters, (400, "ExpiredTokenException", message)),
        (client("lambda").list_functions, (403, "ExpiredTokenException")),
        (client("s3").list_buckets, (400, "ExpiredToken", "The provided token has expired.")),
    ):
        with pytest.raises(ClientError) as error:
            call()
        said, head = error.value.response["Error"], error.value.response["ResponseMetadata"]
        found = (head["HTTPStatusCode"], said["Code"], said["Message"])
        assert found[: len(expected)] == expected


def test_expired_sessions_are_deleted_at_a_start(
    start_cloud: Callable[..., LocalCloud], server: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    _trust(server.cloud, {"Principal": {"AWS": TOOLS}})
    answer = _assume(server.cloud)
    server.stop()
    monkeypatch.setattr("localcloud.core.credentials._LONGEST", -1.0)
    again = start_cloud(services=("logs", "sts"))
    assert _session(again.cloud, answer) is None
    assert again.cloud.ledger.all("session") == []


def test_trust(server: LocalCloud) -> None:
    cloud = server.cloud
    root, mine = f"arn:aws:iam::{TOOLS}:root", {"AWS": TOOLS}
    other, made = {"AWS": "333333333333"}, f"arn:aws:iam::{PROD}:role/a0"
    allowed: list[list[dict[str, Any]]] = [
        [{"Principal": {"AWS": root}}],
        [{"Principal": "*"}],
        [
            {"Principal": other},
            {"Principal": {"AWS": [root, made]}, "Action": ["sts:TagSession", "sts:AssumeRole"]},
        ],
        [{"Principal": mine, "Condition": {"StringEquals": {"sts:ExternalId": "secret"}}}],
    ]
    refused: list[list[dict[str, Any]]] = [
        [{"Principal": other}],
        [{"Principal": {"Service": "codebuild.amazonaws.com"}}],
        [{"Principal": {"AWS": root}, "Action": "sts:AssumeRoleWithSAML"}],
        [{"Principal": {"AWS": root}}, {"Principal": "*", "Effect": "Deny"}],
        [{"Principal": mine, "Condition": {"StringEquals": {"sts:ExternalId": "other"}}}],
    ]
    for number, statements in enumerate(allowed):
        _trust(cloud, *statements, name=f"a{number}")
        _assume(cloud, role=f"arn:aws:iam::{PROD}:role/a{number}", ExternalId="secret")
    for number, statements in enumerate(refused):
        _trust(cloud, *statements, name=f"r{number}")
        with pytest.raises(
            ClientError, match="is not authorized to perform: sts:AssumeRole"
        ) as denied:
            _assume(cloud, role=f"arn:aws:iam::{PROD}:role/r{number}", ExternalId="secret")
        assert denied.value.response["Error"]["Code"] == "AccessDenied"
    _trust(
        cloud,
        {
            "Principal": {"AWS": TOOLS},
            "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
        },
        name="mfa",
    )
    with pytest.raises(ClientError, match="AccessDenied"):
        _assume(cloud, role=f"arn:aws:iam::{PROD}:role/mfa")


def test_a_role_trusts_a_role(server: LocalCloud) -> None:
    cloud = server.cloud
    _trust(cloud, {"Principal": {"AWS": TOOLS}})
    _trust(cloud, {"Principal": {"AWS": ROLE}}, name="next", Path="/deep/")
    session = _session(cloud, _assume(cloud))
    target = f"arn:aws:iam::{PROD}:role/deep/next"
    _assume(cloud, session, target)
    with pytest.raises(ClientError, match="AccessDenied"):
        _assume(cloud, None, target)
    with pytest.raises(ClientError, match="AccessDenied"):
        _assume(cloud, session, f"arn:aws:iam::{PROD}:role/next")


def test_invalid_and_unknown_roles_are_errors(server: LocalCloud) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        _assume(server.cloud)
    with pytest.raises(ClientError, match="no-arn-of-any-role-at-all is invalid"):
        _assume(server.cloud, role="no-arn-of-any-role-at-all")
    sts = server.cloud.client("sts", TOOLS, REGION)
    with pytest.raises(ClientError, match="sts:GetSessionToken is not part of the local cloud"):
        sts.get_session_token()


@pytest.mark.parametrize("service", ["sts", "s3", "ssm", "cloudformation", "iam"])
def test_an_unknown_access_key(
    server: LocalCloud, service: Literal["sts", "s3", "ssm", "cloudformation", "iam"]
) -> None:
    client = boto3.client(
        service,
        region_name=REGION,
        endpoint_url=server.cloud.endpoint,
        aws_access_key_id="AKIAUNKNOWN",
        aws_secret_access_key="x",
    )
    call = {
        "sts": "get_caller_identity", "s3": "list_buckets", "ssm": "describe_parameters",
        "cloudformation": "list_stacks", "iam": "list_roles",
    }[service]  # fmt: skip
    with pytest.raises(ClientError, match="did not issue access key AKIAUNKNOWN") as refused:
        getattr(client, call)()
    assert refused.value.response["Error"]["Code"] == "InvalidClientTokenId"


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (json.dumps({"Statement": "x" * 2048}), "length less than or equal to 2048"),
        ('{"Version": "2012-10-17", "Version": "2012-10-17"}', "MalformedPolicyDocument"),
        ('{"Version": NaN}', "MalformedPolicyDocument"),
        ('{"Version": "2012-10-17", "Statement": []}', "MalformedPolicyDocument"),
    ],
)
def test_a_session_policy_is_json_of_2048_characters(
    server: LocalCloud, policy: str, message: str
) -> None:
    """See `Policy` of "AssumeRole" in the STS API reference."""
    _trust(server.cloud, {"Principal": {"AWS": TOOLS}})
    with pytest.raises(ClientError, match=message):
        _assume(server.cloud, Policy=policy)
