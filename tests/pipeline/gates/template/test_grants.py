from __future__ import annotations

import re
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from pipeline.gates.template.grants import Grant, grants
from pipeline.gates.template.template import Template

if TYPE_CHECKING:
    from typing import Any

GRANT = Grant("${Role}", "identity", "Allow", "", "s3:GetObject", "arn")


def _every(alphabet: str, longest: int) -> list[str]:
    return ["".join(each) for n in range(longest + 1) for each in product(alphabet, repeat=n)]


def _matched(pattern: str, texts: list[str]) -> frozenset[str]:
    """Match as IAM does: `*` is any text, `?` is any one character."""
    made = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return frozenset(text for text in texts if re.fullmatch(made, text))


def test_a_covered_grant_allows_nothing_more() -> None:
    texts, patterns = _every("abc", 4), _every("ab*?", 3)
    matched = {each: _matched(each, texts) for each in patterns}
    covered = 0
    for old, new in product(patterns, repeat=2):
        if replace(GRANT, resource=old).covers(replace(GRANT, resource=new)):
            covered += 1
            assert matched[new] <= matched[old], (old, new)
    assert covered > 10 * len(patterns)  # it is no test of one that never says yes


@given(st.text(alphabet="ab*?", max_size=5))
def test_a_grant_is_covered_by_itself_and_by_full_access(pattern: str) -> None:
    grant = replace(GRANT, resource=pattern)
    assert grant.covers(grant)
    assert replace(GRANT, resource="*").covers(grant)


def test_actions_are_case_insensitive() -> None:
    assert replace(GRANT, action="S3:get*").covers(GRANT)
    assert not replace(GRANT, action="s3:Put*").covers(GRANT)


def test_not_action_is_covered_only_by_full_access() -> None:
    all_but = replace(GRANT, action="not:iam:*")
    assert replace(GRANT, action="*").covers(all_but)
    assert not replace(GRANT, action="s3:*").covers(all_but)
    assert not all_but.covers(GRANT)


def test_more_conditions_are_narrower_and_fewer_are_wider() -> None:
    narrow = replace(GRANT, conditions=frozenset({"Bool aws:SecureTransport true"}))
    assert GRANT.covers(narrow)
    assert not narrow.covers(GRANT)


def test_an_account_principal_covers_its_roles() -> None:
    account = replace(GRANT, kind="trust", principal="AWS:arn:aws:iam::222222222222:root")
    role = replace(account, principal="AWS:arn:aws:iam::222222222222:role/a")
    other = replace(account, principal="AWS:arn:aws:iam::333333333333:role/a")
    assert account.covers(role)
    assert not account.covers(other)
    assert not role.covers(account)
    assert replace(account, principal="AWS:222222222222").covers(role)


def test_policies_are_found_at_any_depth() -> None:
    statement: dict[str, Any] = {"Effect": "Allow", "Action": "x:y", "Principal": {"AWS": "a"}}
    document = {"Statement": [statement]}
    template = Template.of(
        {
            "Resources": {
                "Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": document}},
                "Deep": {"Type": "AWS::X::Y", "Properties": {"A": [{"B": {"C": document}}]}},
                "Role": {
                    "Type": "AWS::IAM::Role",
                    "Properties": {
                        "AssumeRolePolicyDocument": document,
                        "Policies": [{"PolicyDocument": document}],
                    },
                },
                "Queue": {
                    "Type": "AWS::SQS::QueuePolicy",
                    "Properties": {"Queues": [{"Ref": "A"}, "b"], "PolicyDocument": document},
                },
            }
        }
    )
    assert [(each.holder, each.kind) for each in grants(template)] == [
        ("${Key}", "resource"),
        ("${Deep}", "resource"),
        ("${Role}", "trust"),
        ("${Role}", "identity"),
        ("${A}", "resource"),
        ("b", "resource"),
    ]
