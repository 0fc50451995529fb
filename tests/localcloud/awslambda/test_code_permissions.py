"""Code in S3 is read as the caller of `CreateFunction` and `UpdateFunctionCode`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.localcloud.awslambda.conftest import ACCOUNT, REGION, ROLE

if TYPE_CHECKING:
    from collections.abc import Callable

DEPLOYER = f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/me"


def _client(lambdas: Any, *actions: str) -> Any:
    """Return a client of Lambda for a role with these permissions."""
    cloud = lambdas.server.cloud
    iam = cloud.client("iam", ACCOUNT, REGION)
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ACCOUNT}}
    allow = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    if not any(each["RoleName"] == "deployer" for each in iam.list_roles()["Roles"]):
        iam.create_role(RoleName="deployer", AssumeRolePolicyDocument=_document(trust))
    iam.put_role_policy(RoleName="deployer", PolicyName="own", PolicyDocument=_document(allow))
    session = cloud.credentials.assume(f"arn:aws:iam::{ACCOUNT}:role/deployer", "me")
    return cloud.client("lambda", ACCOUNT, REGION, session)


def _document(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


@pytest.mark.parametrize("call", ["create", "update"])
def test_the_caller_reads_the_code(start: Callable[..., Any], call: str) -> None:
    lambdas = start(iam="enforce")
    s3 = lambdas.server.cloud.client("s3", ACCOUNT, REGION)
    s3.create_bucket(Bucket="uploads", CreateBucketConfiguration={"LocationConstraint": REGION})
    source = "def handler(event, context): return 1"
    s3.put_object(Bucket="uploads", Key="a.zip", Body=lambdas.zipped(source))
    place = {"S3Bucket": "uploads", "S3Key": "a.zip"}
    if call == "update":
        lambdas.create("mine", source)

    def deploy(client: Any) -> Any:
        if call == "update":
            return client.update_function_code(FunctionName="mine", **place)
        lambdas.client = client
        return lambdas.create("mine", source, Code=place)

    administrator = lambdas.client
    with pytest.raises(ClientError) as refused:
        deploy(_client(lambdas, "lambda:*", "iam:PassRole"))
    error = refused.value.response["Error"]
    assert (error["Code"], error["Message"]) == (
        "AccessDeniedException",
        "Your access has been denied by S3, please make sure your request credentials have "
        "permission to GetObject for uploads/a.zip. S3 Error Code: AccessDenied. S3 Error Message: "
        f"User: {DEPLOYER} is not authorized to perform: s3:GetObject on resource: "
        "arn:aws:s3:::uploads/a.zip because no identity-based policy allows the s3:GetObject "
        "action",
    )
    deploy(_client(lambdas, "lambda:*", "iam:PassRole", "s3:GetObject"))
    assert administrator.get_function(FunctionName="mine")["Configuration"]["Role"] == ROLE
