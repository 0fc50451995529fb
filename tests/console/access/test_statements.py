from __future__ import annotations

from typing import Any

from console.access.statements import grants, reduced

USED = {"s3:GetObject", "s3:GetObjectVersion", "kms:Decrypt"}


def _policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(action: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": "*"} | more


def test_a_grant_names_the_used_actions_that_match_its_pattern() -> None:
    policy = _policy(_allow(["s3:getobject*", "s3:List*", "kms:Decrypt"]))
    found = {each.pattern: each.used for each in grants({"p": policy}, USED)}
    assert found == {
        "s3:getobject*": ("s3:GetObject", "s3:GetObjectVersion"),
        "s3:List*": (),
        "kms:Decrypt": ("kms:Decrypt",),
    }


def test_a_statement_may_be_single_and_denials_grant_nothing() -> None:
    policy = {"Version": "2012-10-17", "Statement": _allow("*")}
    denying = _policy(_allow("s3:*") | {"Effect": "Deny"})
    found = list(grants({"p": policy, "q": denying}, USED))
    assert [(each.policy, each.pattern, len(each.used)) for each in found] == [("p", "*", 3)]


def test_the_reduced_policy_keeps_resources_conditions_and_denials() -> None:
    condition = {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}
    denial = {"Effect": "Deny", "Action": "s3:Delete*", "Resource": "*"}
    policy = _policy(
        _allow("s3:*", Resource="arn:aws:s3:::b/*", Condition=condition),
        _allow("logs:*"),
        denial,
    )
    assert reduced({"p": policy}, USED)["Statement"] == [
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:GetObjectVersion"],
            "Resource": "arn:aws:s3:::b/*",
            "Condition": condition,
        },
        denial,
    ]


def test_a_bracket_in_a_pattern_is_no_wildcard() -> None:
    policy = _policy(_allow("s3:[GD]*"))
    assert [each.used for each in grants({"p": policy}, USED)] == [()]
