"""Reports on requests that IAM rejects: principals, sizes, and policies in use."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.corpus.report import report
from tests.corpus.stacks import (
    ACCOUNT,
    OTHER,
    REGION,
    Bench,
    refused,
    started,
    statements,
    trust,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with started(tmp_path_factory.mktemp("cloud"), iam="enforce") as made:
        yield made


def role(**properties: Any) -> dict[str, Any]:
    document = trust({"Service": "lambda.amazonaws.com"})
    made = {"AssumeRolePolicyDocument": document} | properties
    return {"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": made}}}


def reading(objects: int) -> dict[str, Any]:
    """Return a policy document with this many ARNs."""
    arns = [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/bus/{each:04}" for each in range(objects)]
    return statements({"Action": "events:PutTargets", "Resource": arns})


@report(
    "hashicorp/terraform-provider-aws#8905",
    "IAM",
    situation="A role's trust policy names a role that does not exist yet.",
    outcome="MalformedPolicyDocument: invalid principal in policy.",
)
def test_a_trust_policy_names_an_absent_role(bench: Bench) -> None:
    nodes = f"arn:aws:iam::{ACCOUNT}:role/nodes.staging"
    given = {"RoleName": "pods", "AssumeRolePolicyDocument": json.dumps(trust({"AWS": nodes}))}
    iam = bench.client("iam")
    assert refused(iam.create_role, **given) == (
        "MalformedPolicyDocument", f'Invalid principal in policy: "AWS":"{nodes}"',
    )  # fmt: skip
    bench.role("nodes.staging", "ec2.amazonaws.com")
    iam.create_role(**given)


@report(
    "aws-cloudformation/cfn-lint#4287",
    "IAM",
    situation="The ARN of a trusted account has one colon too many.",
    outcome="The role fails: invalid principal in policy.",
)
def test_a_trust_policy_names_a_malformed_arn(bench: Bench) -> None:
    arn = f"arn:aws::iam::{ACCOUNT}:root"
    template = role(RoleName="typo", AssumeRolePolicyDocument=trust({"AWS": arn}))
    assert bench.create("typo", template) == "ROLLBACK_COMPLETE"
    assert f'Invalid principal in policy: "AWS":"{arn}"' in bench.failures("typo")[0]


@report(
    "serverless/serverless#7643",
    "IAM",
    situation="A role's inline policy grows with each function that a stack has.",
    outcome="CREATE_FAILED: the maximum policy size of 10,240 bytes is exceeded.",
)
def test_an_inline_policy_above_ten_kilobytes(bench: Bench) -> None:
    policies = [{"PolicyName": "rules", "PolicyDocument": reading(250)}]
    assert bench.create("rules", role(Policies=policies)) == "ROLLBACK_COMPLETE"
    reason = bench.failures("rules")[0]
    assert reason.startswith("Maximum policy size of 10240 bytes exceeded for role rules-Role-")


@report(
    "aws/eks-hybrid#741",
    "IAM",
    situation="A role has eleven managed policies.",
    outcome="Its resource fails: the quota for PoliciesPerRole is 10.",
)
def test_more_than_ten_policies_of_a_role(bench: Bench) -> None:
    iam = bench.client("iam")
    arns = [
        iam.create_policy(PolicyName=f"misc-{each}", PolicyDocument=json.dumps(reading(1)))[
            "Policy"
        ]["Arn"]
        for each in range(11)
    ]
    assert bench.create("eleven", role(ManagedPolicyArns=arns)) == "ROLLBACK_COMPLETE"
    assert "Cannot exceed quota for PoliciesPerRole: 10" in bench.failures("eleven")[0]
    assert bench.create("ten", role(ManagedPolicyArns=arns[:10])) == "CREATE_COMPLETE"


@report(
    "convox/rack#2672",
    "IAM",
    situation="A stack is deleted after a policy was added to its role by hand.",
    outcome="DELETE_FAILED: the role's policies must be deleted first.",
)
def test_a_role_with_a_policy_of_others_is_deleted(bench: Bench) -> None:
    bench.create("service", role(RoleName="service"))
    given = {"RoleName": "service", "PolicyName": "by-hand"}
    iam = bench.client("iam")
    iam.put_role_policy(PolicyDocument=json.dumps(reading(1)), **given)
    assert bench.delete("service") == "DELETE_FAILED"
    assert bench.failures("service", "Role")[0].startswith(
        "Cannot delete entity, must delete policies first."
    )
    iam.delete_role_policy(**given)
    assert bench.delete("service") == "DELETE_COMPLETE"


@report(
    "serverless/components#312",
    "IAM",
    situation="A managed policy that is attached to a role is deleted.",
    outcome="DeleteConflict: the policy is attached to entities.",
)
def test_an_attached_policy_is_deleted(bench: Bench) -> None:
    iam = bench.client("iam")
    bench.role("attached")
    given = {"PolicyName": "attached", "PolicyDocument": json.dumps(reading(1))}
    arn = iam.create_policy(**given)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="attached", PolicyArn=arn)
    assert refused(iam.delete_policy, PolicyArn=arn) == (
        "DeleteConflict", "Cannot delete a policy attached to entities.",
    )  # fmt: skip


@report(
    "serverless/examples#405",
    "IAM",
    situation="A role's name of service, stage and region has 66 characters.",
    outcome="CREATE_FAILED: the name has to have at most 64 characters.",
)
def test_a_role_name_above_64_characters(bench: Bench) -> None:
    name = "aws-node-serve-dynamic-html-via-http-endpoint-dev-us-east-1-lambdaRole"
    assert bench.create("long", role(RoleName=name)) == "ROLLBACK_COMPLETE"
    assert (
        f"1 validation error detected: Value '{name}' at 'roleName' failed to satisfy "
        "constraint: Member must have length less than or equal to 64"
    ) in bench.failures("long")[0]


@report(
    "aws/aws-cdk#29479",
    "IAM",
    situation="A pipeline's self-mutation assumes the deploy role of another account.",
    outcome="The role of the build is not authorized to perform sts:AssumeRole.",
)
def test_a_build_assumes_a_role_of_another_account(bench: Bench) -> None:
    name = f"cdk-hnb659fds-deploy-role-{OTHER}-{REGION}"
    document = json.dumps(trust({"AWS": f"arn:aws:iam::{OTHER}:root"}))
    iam = bench.client("iam", OTHER)
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    build = bench.session("pipeline", ACCOUNT, {"Action": "sts:AssumeRole", "Resource": "*"})
    sts = bench.client("sts", session=build)
    assert refused(sts.assume_role, RoleArn=arn, RoleSessionName="deploy") == (
        "AccessDenied",
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/pipeline/AWSCodeBuild-1 is not authorized to "
        f"perform: sts:AssumeRole on resource: {arn}",
    )
