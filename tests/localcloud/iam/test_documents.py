from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.iam.documents import MalformedPolicyError, parse

if TYPE_CHECKING:
    from localcloud.iam.documents import Kind

_ALLOW = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
_TRUST = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "111111111111"}}


def _parse(statement: Any, kind: Kind = "identity", **document: Any) -> Any:
    return parse(json.dumps({"Version": "2012-10-17", "Statement": statement} | document), kind)


def _but(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in (_ALLOW | changes).items() if value is not None}


@pytest.mark.parametrize(
    ("statement", "kind", "message"),
    [
        (_but(Effect="allow"), "identity", "Syntax errors in policy."),
        (_but(Actions="s3:*"), "identity", "Syntax errors in policy."),
        (_but(NotAction="s3:*"), "identity", "Syntax errors in policy."),
        (_but(NotResource="*"), "identity", "Syntax errors in policy."),
        (_but(Action=None), "identity", "Policy statement must contain actions."),
        (_but(Resource=None), "identity", "Policy statement must contain resources."),
        (_but(Action="GetObject"), "identity", "must be prefaced by a vendor"),
        (_but(Action="s3:Get:Object"), "identity", "can contain only one colon"),
        (_but(Action="s*:GetObject"), "identity", "Vendor s* is not valid"),
        (_but(Resource="bucket"), "identity", "must be in ARN format"),
        (_but(Principal="*"), "identity", "should not specify a principal"),
        (_but(Condition={"StringEqual": {"aws:a": "b"}}), "identity", "Syntax errors"),
        (_but(Condition={"NumericEquals": {"aws:a": "b"}}), "identity", "Syntax errors"),
        (_but(Condition={"StringEquals": {"a": "b"}}), "identity", "prefaced by a vendor"),
        (_but(Condition={"StringEquals": {"aws:a": None}}), "identity", "Syntax errors"),
        ([_but(Sid="A"), _but(Sid="A")], "identity", "must be unique"),
        (_but(), "resource", "Missing required field Principal"),
        (_but(NotPrincipal={"AWS": "111111111111"}), "resource", "NotPrincipal"),
        (_but(Principal={"AWS": "arn:aws:iam::1:role/*"}), "resource", "Invalid principal"),
        (_but(Principal={"Person": "me"}), "resource", "Invalid principal"),
        (_TRUST | {"Resource": "*"}, "trust", "Has prohibited field Resource"),
        ([], "identity", "Syntax errors in policy."),
    ],
)  # fmt: skip
def test_rejected(statement: Any, kind: Kind, message: str) -> None:
    with pytest.raises(MalformedPolicyError) as refused:
        _parse(statement, kind)
    assert message in str(refused.value)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"Version": "2012-10-17"}', '{"Statement": 1}'])
def test_an_invalid_policy_document_is_rejected(text: str) -> None:
    with pytest.raises(MalformedPolicyError):
        parse(text, "identity")


def test_unknown_elements_and_versions_are_rejected() -> None:
    rejected: list[dict[str, Any]] = [{"Version": "2020-01-01"}, {"Statements": []}]
    for more in rejected:
        with pytest.raises(MalformedPolicyError):
            _parse(_ALLOW, **more)


def test_parsed() -> None:
    policy = _parse([_but(Sid="Read"), _but(Effect="Deny", Action=["s3:*", "kms:*"])])
    assert [(each.sid, each.allows) for each in policy.statements] == [("Read", True), ("", False)]
    assert _parse(_TRUST, "trust").statements[0].covers("sts:AssumeRole", "any", {})
