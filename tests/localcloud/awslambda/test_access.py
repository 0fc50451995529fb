from __future__ import annotations

import json
import os
import threading
from typing import Any

import pytest

from localcloud.awslambda.policies import statement
from localcloud.core.ports import InvocationError
from localcloud.iam import keys
from localcloud.iam.acting import ServicePrincipal
from localcloud.iam.documents import parse
from localcloud.iam.evaluation import AccessRequest, Policies, evaluate
from localcloud.iam.principals import Principal

ACCOUNT, REGION = "222222222222", "eu-west-1"
API = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:abc123"
GATEWAY = "apigateway.amazonaws.com"


def _document(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def test_a_permission_on_an_alias_is_for_the_alias_alone(lambdas: Any) -> None:
    client, functions = lambdas.client, lambdas.server.cloud.functions
    lambdas.create("shy", "def handler(event, context): pass", Publish=True)
    client.create_alias(FunctionName="shy", Name="live", FunctionVersion="1")
    added = client.add_permission(
        FunctionName="shy",
        Qualifier="live",
        StatementId="api",
        Action="lambda:InvokeFunction",
        Principal=GATEWAY,
        SourceArn=f"{API}/*/GET/files",
        SourceAccount=ACCOUNT,
    )
    assert json.loads(added["Statement"])["Resource"].endswith(":function:shy:live")

    def may(qualifier: str, source: str = f"{API}/prod/GET/files") -> Any:
        return functions.allows(
            ACCOUNT, REGION, "shy", qualifier, principal=GATEWAY, source_arn=source
        )

    assert may("live")
    assert not may("live", f"{API}/prod/PUT/files")
    assert not may("")
    assert not may("1")
    with pytest.raises(InvocationError, match="Function not found"):
        functions.allows(
            ACCOUNT, REGION, "nobody", "live", principal=GATEWAY, source_arn=f"{API}/prod/GET/files"
        )
    policy = json.loads(client.get_policy(FunctionName="shy", Qualifier="live")["Policy"])
    assert [each["Sid"] for each in policy["Statement"]] == ["api"]
    with pytest.raises(client.exceptions.ResourceConflictException):
        client.add_permission(
            FunctionName="shy:live", StatementId="api", Action="lambda:*", Principal=GATEWAY
        )
    client.remove_permission(FunctionName="shy", Qualifier="live", StatementId="api")
    assert not may("live")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_policy(FunctionName="shy", Qualifier="live")


def test_another_account_needs_a_permission(lambdas: Any) -> None:
    lambdas.create("shy", "def handler(event, context): return 1")
    stranger = lambdas.server.cloud.client("lambda", "333333333333", REGION)
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:shy"
    with pytest.raises(stranger.exceptions.ClientError, match="not authorized"):
        stranger.invoke(FunctionName=arn)
    lambdas.client.add_permission(
        FunctionName="shy",
        StatementId="guest",
        Action="lambda:InvokeFunction",
        Principal="333333333333",
    )
    assert stranger.invoke(FunctionName=arn)["StatusCode"] == 200


@pytest.mark.parametrize(
    ("pattern", "source", "held"),
    [
        (f"{API}/*", f"{API}/prod/GET/a/b", True),
        (f"{API}/*/*/*", f"{API}/prod/GET/a", True),
        (f"{API}/pro?/*", f"{API}/prod/GET", True),
        ("arn:aws:events:*:*:rule/x", f"arn:aws:events:{REGION}:{ACCOUNT}:rule/x", True),
        ("arn:aws:events:*:rule/x", f"arn:aws:events:{REGION}:{ACCOUNT}:rule/x", False),
        ("arn:aws:events:[a-z]:1:x", "arn:aws:events:e:1:x", False),
        (API, f"{API}/prod", False),
    ],
)
def test_arn_like(pattern: str, source: str, held: bool) -> None:
    parameters = {"Principal": GATEWAY, "Action": "lambda:InvokeFunction", "SourceArn": pattern}
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:shy"
    document = {"Version": "2012-10-17", "Statement": statement(arn, "sid", parameters)}
    policies = Policies(resource=parse(json.dumps(document), "resource"))

    def may(service: str) -> bool:
        context = keys.of_service(ServicePrincipal(service, source))
        principal = Principal("service", service)
        request = AccessRequest(principal, "lambda:InvokeFunction", arn, ACCOUNT, context)
        return evaluate(request, policies).allowed

    assert may(GATEWAY) is held
    assert not may("events.amazonaws.com")


def test_a_permission_names_the_account_of_its_source(lambdas: Any) -> None:
    lambdas.create("shy", "def handler(event, context): pass")
    lambdas.client.add_permission(
        FunctionName="shy",
        StatementId="account",
        Action="lambda:InvokeFunction",
        Principal=GATEWAY,
        SourceAccount=ACCOUNT,
    )
    functions = lambdas.server.cloud.functions
    theirs = API.replace(ACCOUNT, "333333333333")
    assert functions.allows(
        ACCOUNT, REGION, "shy", "$LATEST", principal=GATEWAY, source_arn=f"{API}/prod/GET/"
    )
    assert not functions.allows(
        ACCOUNT, REGION, "shy", None, principal=GATEWAY, source_arn=f"{theirs}/prod/GET/"
    )


def test_a_role_of_another_account_needs_both_sides(lambdas: Any) -> None:
    lambdas.create("shy", "def handler(event, context): return 1")
    cloud = lambdas.server.cloud
    role = "arn:aws:iam::333333333333:role/guest"
    iam = cloud.client("iam", "333333333333", REGION)
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ACCOUNT}}
    iam.create_role(RoleName="guest", AssumeRolePolicyDocument=_document(trust))
    session = cloud.credentials.assume(role, "me")
    client = cloud.client("lambda", "333333333333", REGION, session)
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:shy"
    lambdas.client.add_permission(
        FunctionName="shy", StatementId="guest", Action="lambda:InvokeFunction", Principal=role
    )
    with pytest.raises(client.exceptions.ClientError, match="not authorized"):
        client.invoke(FunctionName=arn)
    allow = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": arn}
    iam.put_role_policy(RoleName="guest", PolicyName="p", PolicyDocument=_document(allow))
    assert client.invoke(FunctionName=arn)["StatusCode"] == 200


def test_reserved_concurrency_throttles(lambdas: Any, tmp_path: Any) -> None:
    client = lambdas.client
    lambdas.create(
        "one",
        "import os, time\n"
        "def handler(event, context):\n"
        "    open(event + '/begun', 'w').close()\n"
        "    while not os.path.exists(event + '/end'):\n"
        "        time.sleep(0.01)\n",
    )
    client.put_function_concurrency(FunctionName="one", ReservedConcurrentExecutions=0)
    with pytest.raises(client.exceptions.TooManyRequestsException, match="Rate Exceeded"):
        lambdas.invoke("one")
    client.put_function_concurrency(FunctionName="one", ReservedConcurrentExecutions=1)
    assert client.get_function_concurrency(FunctionName="one")["ReservedConcurrentExecutions"] == 1
    os.mkfifo(tmp_path / "begun")
    first = threading.Thread(target=lambdas.invoke, args=("one", str(tmp_path)))
    first.start()
    (tmp_path / "begun").read_bytes()
    with pytest.raises(client.exceptions.TooManyRequestsException):
        lambdas.invoke("one")
    (tmp_path / "end").touch()
    first.join()
    lambdas.metrics.wait_for(2, "Throttles", FunctionName="one")
    lambdas.metrics.wait_for(1, "Invocations", FunctionName="one", Resource="one")
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="minimum value"):
        client.put_function_concurrency(FunctionName="one", ReservedConcurrentExecutions=901)
    client.delete_function_concurrency(FunctionName="one")
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName="one")
