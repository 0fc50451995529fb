"""Changes of roles and policies take effect after a delay, as on AWS."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from moto.iam.models import iam_backends

from localcloud.core.clock import Clock
from localcloud.core.delays import AS_ON_AWS, Delays
from localcloud.iam.propagation import Propagation

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.server import LocalCloud

ACCOUNT, REGION = "111111111111", "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
SERVICES = ("logs", "sts", "functions", "cloudformation")
SHORTEST, LONGEST = 4.0, 21.0
"""Cloud seconds after which the first and the last change has propagated."""


def _document(*statements: dict[str, Any]) -> dict[str, Any]:
    stated = [{"Effect": "Allow"} | each for each in statements]
    return {"Version": "2012-10-17", "Statement": stated}


TRUST = _document(
    {
        "Action": "sts:AssumeRole",
        "Principal": {"AWS": ACCOUNT, "Service": "lambda.amazonaws.com"},
    }
)
WRITE = _document({"Action": "ssm:PutParameter", "Resource": "*"})
READ = _document({"Action": "ssm:DescribeParameters", "Resource": "*"})


@pytest.fixture
def server(start_cloud: Callable[..., LocalCloud]) -> LocalCloud:
    return start_cloud(services=SERVICES, iam="enforce", delays=AS_ON_AWS)


def _pass(server: LocalCloud, seconds: float) -> None:
    server.cloud.clock._origin += seconds


def _refused(call: Callable[..., Any], **parameters: Any) -> str:
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    return str(refused.value.response["Error"]["Message"])


def _reader(server: LocalCloud) -> Callable[[], bool]:
    """Return whether a session of the role may read now."""
    session = server.cloud.credentials.assume(ROLE, "me")
    client = server.cloud.client("ssm", ACCOUNT, REGION, session)

    def reads() -> bool:
        try:
            client.describe_parameters()
        except ClientError:
            return False
        return True

    return reads


def test_a_new_role_is_assumed_when_it_has_propagated(server: LocalCloud) -> None:
    """See ansible-collections/community.aws#710 and aws-sdk-js#3498."""
    iam, sts = (server.cloud.client(each, ACCOUNT, REGION) for each in ("iam", "sts"))
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))
    assert iam.get_role(RoleName="r")["Role"]["Arn"] == ROLE
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("m.py", "def h(event, context): pass")
    function = {
        "FunctionName": "f",
        "Role": ROLE,
        "Runtime": f"python{sys.version_info[0]}.{sys.version_info[1]}",
        "Handler": "m.h",
        "Code": {"ZipFile": code.getvalue()},
    }
    functions = server.cloud.client("lambda", ACCOUNT, REGION)
    _pass(server, SHORTEST)
    assert "not authorized to perform: sts:AssumeRole" in _refused(
        sts.assume_role, RoleArn=ROLE, RoleSessionName="me"
    )
    assert _refused(functions.create_function, **function).startswith(
        "The role defined for the function cannot be assumed by Lambda."
    )
    _pass(server, LONGEST - SHORTEST)
    sts.assume_role(RoleArn=ROLE, RoleSessionName="me")
    functions.create_function(**function)


def test_a_grant_and_its_removal_take_effect_later(server: LocalCloud) -> None:
    """See aws-sdk-js#850."""
    iam = server.cloud.client("iam", ACCOUNT, REGION)
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))
    _pass(server, LONGEST)
    reads = _reader(server)
    policy = iam.create_policy(PolicyName="p", PolicyDocument=json.dumps(WRITE))["Policy"]
    iam.attach_role_policy(RoleName="r", PolicyArn=policy["Arn"])
    _pass(server, LONGEST)
    iam.create_policy_version(
        PolicyArn=policy["Arn"], PolicyDocument=json.dumps(READ), SetAsDefault=True
    )
    _pass(server, SHORTEST)
    assert not reads()
    _pass(server, LONGEST - SHORTEST)
    assert reads()
    iam.detach_role_policy(RoleName="r", PolicyArn=policy["Arn"])
    _pass(server, SHORTEST)
    assert reads()
    _pass(server, LONGEST - SHORTEST)
    assert not reads()


def _stack(server: LocalCloud, *, granted: bool, new: bool) -> None:
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {"RoleName": "r", "AssumeRolePolicyDocument": TRUST},
    }
    policy = {
        "Type": "AWS::IAM::Policy",
        "Properties": {"PolicyName": "p", "PolicyDocument": READ, "Roles": [{"Ref": "Role"}]},
    }
    resources = {"Role": role} | ({"Policy": policy} if granted else {})
    cloudformation = server.cloud.client("cloudformation", ACCOUNT, REGION)
    change = cloudformation.create_stack if new else cloudformation.update_stack
    change(
        StackName="s",
        TemplateBody=json.dumps({"Resources": resources}),
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    waiter = f"stack_{'create' if new else 'update'}_complete"
    cloudformation.get_waiter(waiter).wait(StackName="s", WaiterConfig={"Delay": 1})


def test_a_stack_completes_a_role_with_its_policies_when_it_has_propagated(
    server: LocalCloud,
) -> None:
    """See "Understand CloudFormation stack creation events" and aws-cdk#7964."""
    _stack(server, granted=True, new=True)
    assert _reader(server)()


def test_a_policy_added_to_an_older_role_by_a_stack_takes_effect_later(server: LocalCloud) -> None:
    """See aws-cdk#37675 and aws-cdk#37085."""
    _stack(server, granted=False, new=True)
    _stack(server, granted=True, new=False)
    reads = _reader(server)
    assert not reads()
    _pass(server, LONGEST)
    assert reads()


class HeldClock(Clock):
    """A clock that a test sets."""

    held = 1000.0

    def timestamp(self) -> float:
        return self.held


def test_a_seed_reproduces_the_propagation_delays() -> None:
    account = "123456789999"

    def seen_after(seed: int) -> list[int]:
        clock = HeldClock()
        propagation = Propagation(clock, Delays(seed=seed))
        backend = iam_backends[account]["aws"]
        propagation.start()
        names = [f"r{number}" for number in range(5)]
        for name in names:
            backend.create_role(name, json.dumps(TRUST), "/", None, "", [], "3600")
            propagation.changed(account)
        arns = [backend.get_role(name).arn for name in names]
        times = dict.fromkeys(arns, 0)
        while not all(times.values()):
            clock.held += 1
            for arn in arns:
                if propagation.role(arn) and not times[arn]:
                    times[arn] = int(clock.held - 1000)
        for name in names:
            backend.delete_role(name)
        return list(times.values())

    assert seen_after(1) == seen_after(1) != seen_after(2)
    assert all(5 <= each <= 20 for each in seen_after(1))
