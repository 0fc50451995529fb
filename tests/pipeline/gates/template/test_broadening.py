"""PH503 to PH506: broader grants and removed protections in a change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Changed = Callable[..., list[tuple[str, str, str]]]

FILES = {"Type": "AWS::S3::Bucket", "Properties": {}}
ARN = {"Fn::GetAtt": ["Files", "Arn"]}
OBJECTS = {"Fn::Join": ["", [ARN, "/*"]]}
SERVICE = {"Service": "lambda.amazonaws.com"}


def _role(principal: Any = SERVICE, **properties: Any) -> dict[str, Any]:
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": {"Statement": [trust]}, **properties},
    }


def _policy(*statements: dict[str, Any], role: str = "Role") -> dict[str, Any]:
    whole = [{"Effect": "Allow", "Resource": OBJECTS, **each} for each in statements]
    return {
        "Type": "AWS::IAM::Policy",
        "Properties": {"Roles": [{"Ref": role}], "PolicyDocument": {"Statement": whole}},
    }


def _stack(*statements: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"Files": FILES, "Role": _role(), "Policy": _policy(*statements), **more}


READS = {"Action": ["s3:GetObject", "s3:GetObjectTagging"]}


def test_a_wider_action_is_named_and_a_narrower_one_is_not(changed: Changed) -> None:
    before = _stack(READS)
    assert changed(before, _stack({"Action": "s3:*"})) == [
        ("PH503", "error", "${Role} s3:* ${Files.Arn}/*")
    ]
    assert changed(before, _stack({"Action": "s3:GetObject"})) == []
    assert changed(_stack({"Action": "s3:*"}), before) == []


def test_a_wider_resource_is_named_and_a_narrower_one_is_not(changed: Changed) -> None:
    everything = {**READS, "Resource": "*"}
    subject = "${Role} s3:GetObject, s3:GetObjectTagging *"
    assert changed(_stack(READS), _stack(everything)) == [("PH503", "error", subject)]
    assert changed(_stack(everything), _stack(READS)) == []


def test_equivalent_permissions_are_no_change(changed: Changed) -> None:
    apart = _stack({"Action": "s3:GetObjectTagging"}, {"Action": "s3:GetObject"})
    inline = _stack()
    inline["Role"]["Properties"]["Policies"] = [
        {"PolicyDocument": {"Statement": {"Effect": "Allow", "Resource": OBJECTS, **READS}}}
    ]
    for other in (apart, inline):
        assert changed(_stack(READS), other) == changed(other, _stack(READS)) == []


def test_a_removed_condition_is_a_finding_and_an_added_one_is_not(changed: Changed) -> None:
    secure = {**READS, "Condition": {"Bool": {"aws:SecureTransport": "true"}}}
    assert changed(_stack(READS), _stack(secure)) == []
    assert [rule for rule, _, _ in changed(_stack(secure), _stack(READS))] == ["PH503"]


def test_access_to_resources_of_the_same_change_may_be_granted(changed: Changed) -> None:
    table = {"Type": "AWS::DynamoDB::Table"}
    on_it = {"Action": "dynamodb:*Item", "Resource": {"Fn::GetAtt": ["Table", "Arn"]}}
    assert changed(_stack(READS), _stack(READS, on_it, Table=table)) == []
    # Once deployed, a further grant is a broadening.
    deployed = _stack(READS, Table=table)
    assert [rule for rule, _, _ in changed(deployed, _stack(READS, on_it, Table=table))] == [
        "PH503"
    ]


@pytest.mark.parametrize(
    "resource",
    [
        {"Fn::Sub": "arn:aws:s3:::*${Table}"},  # all that ends as a new thing does
        {"Fn::GetAtt": ["Lookup", "Arn"]},  # whatever a custom resource says
    ],
)
def test_a_new_name_does_not_hide_an_existing_resource(resource: Any, changed: Changed) -> None:
    new = {"Table": {"Type": "AWS::DynamoDB::Table"}, "Lookup": {"Type": "Custom::Lookup"}}
    after = _stack(READS, {"Action": "s3:PutObject", "Resource": resource}, **new)
    assert [rule for rule, _, _ in changed(_stack(READS), after)] == ["PH503"]


def test_a_new_role_is_a_note_and_does_not_refuse(changed: Changed) -> None:
    new = {"Other": _role(), "OtherPolicy": _policy(READS, role="Other")}
    assert changed(_stack(READS), _stack(READS, **new)) == [
        ("PH503", "warning", "${Other} s3:GetObject, s3:GetObjectTagging ${Files.Arn}/*")
    ]


@pytest.mark.parametrize(
    ("statement", "severity"),
    [
        ({"Action": "s3:*", "Resource": OBJECTS}, "error"),
        ({"Action": "dynamodb:DeleteTable", "Resource": "*"}, "error"),
        ({"Action": "iam:PassRole", "Resource": "arn:aws:iam::2:role/*"}, "error"),
        ({"Action": "sts:AssumeRole", "Resource": "*"}, "error"),
        ({"NotAction": "iam:*", "Resource": OBJECTS}, "error"),
        ({"Action": "s3:PutObject", "NotResource": "arn:aws:s3:::other/*"}, "error"),
        ({"Action": "s3:PutObject", "Resource": "arn:aws:s3:::*"}, "error"),
        (
            {
                "Action": "dynamodb:DeleteTable",
                "Resource": "*",
                "Condition": {"StringLike": {"aws:PrincipalArn": "*"}},
            },
            "error",
        ),
        ({"Action": "cloudwatch:GetMetricData", "Resource": "*"}, "warning"),
        ({"Action": "xray:PutTraceSegments", "Resource": "*"}, "warning"),
        (READS, "warning"),
    ],
)
def test_a_new_role_with_broad_rights_refuses(
    statement: dict[str, Any], severity: str, changed: Changed
) -> None:
    policy = _policy({"Effect": "Allow", **statement}, role="Other")
    if "NotResource" in statement:
        del policy["Properties"]["PolicyDocument"]["Statement"][0]["Resource"]
    found = changed(_stack(READS), _stack(READS, Other=_role(), OtherPolicy=policy))
    assert [(rule, each) for rule, each, _ in found] == [("PH503", severity)]


def test_a_new_role_with_an_administrators_policy_refuses(changed: Changed) -> None:
    arn = "arn:aws:iam::aws:policy/AdministratorAccess"
    found = changed(_stack(READS), _stack(READS, Other=_role(ManagedPolicyArns=[arn])))
    assert [(rule, severity) for rule, severity, _ in found] == [("PH503", "error")]


@pytest.mark.parametrize(
    ("condition", "open_"),
    [
        ({}, True),
        ({"StringLike": {"aws:PrincipalArn": "*"}}, True),
        ({"ArnLike": {"aws:SourceArn": "arn:*:*:*:*:*"}}, True),
        ({"Bool": {"aws:SecureTransport": ["true", "false"]}}, True),
        # It restricts how, not who.
        ({"Bool": {"aws:SecureTransport": "true"}}, True),
        ({"Null": {"aws:PrincipalArn": "false"}}, True),
        ({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}, True),
        ({"StringNotEquals": {"aws:PrincipalAccount": "999999999999"}}, True),
        ({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, False),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, False),
    ],
)
def test_a_new_public_bucket_refuses(
    condition: dict[str, Any], open_: bool, changed: Changed
) -> None:
    policy = _bucket_policy("*", Condition=condition)
    found = changed({"T": {"Type": "AWS::SNS::Topic"}}, {"Files": FILES, "P": policy})
    assert [(rule, severity) for rule, severity, _ in found] == (
        [("PH503", "error")] if open_ else []
    )


def test_an_always_true_condition_counts_as_none(changed: Changed) -> None:
    secure = {**READS, "Condition": {"Bool": {"aws:SecureTransport": "true"}}}
    always = {**READS, "Condition": {"StringLike": {"aws:PrincipalArn": "*"}}}
    assert [rule for rule, _, _ in changed(_stack(secure), _stack(always))] == ["PH503"]
    assert changed(_stack(READS), _stack(always)) == changed(_stack(always), _stack(READS)) == []


def test_a_replacing_role_is_compared_with_the_replaced_one(changed: Changed) -> None:
    def stack(role: str, **statement: Any) -> dict[str, Any]:
        function = {
            "Type": "AWS::Lambda::Function",
            "Properties": {"Role": {"Fn::GetAtt": [role, "Arn"]}},
        }
        return {
            "Files": FILES,
            "Function": function,
            role: _role(),
            f"{role}Policy": _policy({**READS, **statement}, role=role),
        }

    assert changed(stack("Old"), stack("New")) == []
    assert changed(stack("Old"), stack("New", Action="s3:PutObject")) == [
        ("PH503", "error", "${New} s3:PutObject ${Files.Arn}/*")
    ]


def test_a_managed_policy_counts_as_a_permission(changed: Changed) -> None:
    arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    after = _stack(READS)
    after["Role"] = _role(ManagedPolicyArns=[arn])
    assert changed(_stack(READS), after) == [("PH503", "error", f"${{Role}} managed policy {arn}")]


def _bucket_policy(principal: Any, effect: str = "Allow", **more: Any) -> dict[str, Any]:
    statement = {"Effect": effect, "Principal": principal, "Action": "s3:GetObject", **more}
    return {
        "Type": "AWS::S3::BucketPolicy",
        "Properties": {
            "Bucket": {"Ref": "Files"},
            "PolicyDocument": {"Statement": [{"Resource": OBJECTS, **statement}]},
        },
    }


def test_a_resource_policy_that_grants_access_is_a_finding(changed: Changed) -> None:
    other = {"AWS": "arn:aws:iam::999999999999:role/x"}
    after = _stack(READS, Access=_bucket_policy(other))
    ((rule, severity, subject),) = changed(_stack(READS), after)
    assert (rule, severity) == ("PH503", "error")
    assert subject.startswith("${Files} AWS:arn:aws:iam::999999999999:role/x s3:GetObject")
    # The bucket is new with its policy, so no earlier access can be compared.
    assert (
        changed({"T": {"Type": "AWS::SNS::Topic"}}, {"Files": FILES, "P": _bucket_policy(other)})
        == []
    )


def test_a_new_role_in_an_existing_resource_policy_is_a_note(changed: Changed) -> None:
    role = {"AWS": {"Fn::GetAtt": ["Other", "Arn"]}}
    after = _stack(READS, Other=_role(), Access=_bucket_policy(role))
    ((rule, severity, _),) = changed(_stack(READS), after)
    assert (rule, severity) == ("PH503", "warning")


def test_a_permission_for_a_new_source_alone_is_no_broadening(changed: Changed) -> None:
    def permission(**limits: Any) -> dict[str, Any]:
        return {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "FunctionName": {"Ref": "Function"},
                "Action": "lambda:InvokeFunction",
                "Principal": "apigateway.amazonaws.com",
                **limits,
            },
        }

    function = {"Function": {"Type": "AWS::Lambda::Function"}}
    api = {"Api": {"Type": "AWS::ApiGateway::RestApi"}}
    by_api = permission(SourceArn={"Fn::Sub": "arn:aws:execute-api:eu-west-1:2:${Api}/*"})
    assert changed(function, {**function, **api, "May": by_api}) == []
    ((rule, severity, _),) = changed(function, {**function, **api, "May": permission()})
    assert (rule, severity) == ("PH503", "error")


@pytest.mark.parametrize(
    ("principal", "named"),
    [
        ({"AWS": "arn:aws:iam::999999999999:root"}, True),
        ({"Federated": "arn:aws:iam::2:oidc-provider/x"}, True),
        ({"Service": "codebuild.amazonaws.com"}, False),
        ({"AWS": {"Fn::GetAtt": ["Role", "Arn"]}}, False),
    ],
)
def test_a_new_role_trusts_services_and_its_own_stack(
    principal: Any, named: bool, changed: Changed
) -> None:
    found = changed(_stack(READS), _stack(READS, New=_role(principal)))
    assert [(rule, severity) for rule, severity, _ in found] == (
        [("PH504", "error")] if named else []
    )


def test_an_existing_role_with_a_new_principal_is_a_finding(changed: Changed) -> None:
    after = _stack(READS)
    after["Role"] = _role({"Service": ["lambda.amazonaws.com", "ec2.amazonaws.com"]})
    assert changed(_stack(READS), after) == [
        ("PH504", "error", "${Role} Service:ec2.amazonaws.com sts:AssumeRole")
    ]
    assert changed(after, _stack(READS)) == []


def test_a_removed_denial_is_a_finding(changed: Changed) -> None:
    insecure = {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    before = _stack(READS, Access=_bucket_policy("*", "Deny", **insecure))
    assert changed(before, _stack(READS)) == [
        ("PH505", "error", "${Files} * s3:GetObject ${Files.Arn}/*")
    ]
    assert changed(before, before) == []
    # A wider denial still denies; a deleted bucket has its own rule.
    wider = _stack(READS, Access=_bucket_policy("*", "Deny", Action="s3:*"))
    assert changed(before, wider) == []
    gone = changed(before, {"T": {"Type": "AWS::SNS::Topic"}})
    assert [rule for rule, _, _ in gone] == ["PH501"]


@pytest.mark.parametrize(
    ("type_", "before", "after", "subject"),
    [
        (
            "AWS::S3::Bucket",
            {
                "PublicAccessBlockConfiguration": {
                    "BlockPublicAcls": True,
                    "BlockPublicPolicy": True,
                }
            },
            {"PublicAccessBlockConfiguration": {"BlockPublicAcls": True}},
            "X BlockPublicPolicy",
        ),
        (
            "AWS::S3::Bucket",
            {"PublicAccessBlockConfiguration": {"BlockPublicAcls": True}},
            {},
            "X BlockPublicAcls",
        ),
        (
            "AWS::ApiGateway::Method",
            {"AuthorizationType": "AWS_IAM"},
            {"AuthorizationType": "NONE"},
            "X AuthorizationType",
        ),
        ("AWS::IAM::Role", {"PermissionsBoundary": "arn:b"}, {}, "X PermissionsBoundary"),
        (
            "AWS::IAM::User",
            {"PermissionsBoundary": "arn:b"},
            {"PermissionsBoundary": "arn:c"},
            "X PermissionsBoundary",
        ),
    ],
)
def test_a_removed_protection_is_a_finding(
    type_: str, before: dict[str, Any], after: dict[str, Any], subject: str, changed: Changed
) -> None:
    was, now = ({"X": {"Type": type_, "Properties": each}} for each in (before, after))
    assert changed(was, now) == [("PH506", "error", subject)]
    assert changed(now, now) == []
    if not after.get("PermissionsBoundary"):
        assert changed(now, was) == []
