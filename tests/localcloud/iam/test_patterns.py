from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.iam import patterns

_GROUP = "arn:aws:logs:r:1:log-group:/a/x"
ALPHABET = st.text("ab:/*?$", max_size=8)


def _reference(pattern: str, text: str) -> bool:
    """Match by recursion, as a textbook does."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return _reference(pattern[1:], text) or bool(text and _reference(pattern, text[1:]))
    return bool(text) and pattern[0] in {"?", text[0]} and _reference(pattern[1:], text[1:])


@given(ALPHABET, st.text("ab:/$", max_size=8))
def test_wildcards_equal_a_reference(pattern: str, text: str) -> None:
    assert bool(patterns.wildcard(pattern).fullmatch(text)) == _reference(pattern, text)


@given(st.text(min_size=1, max_size=12))
def test_a_text_matches_itself_escaped(text: str) -> None:
    escaped = re.sub(r"[*?$]", lambda found: f"${{{found[0]}}}", text)
    assert patterns.resource(escaped).fullmatch(text)
    assert patterns.wildcard(escaped).fullmatch(text)


@pytest.mark.parametrize(
    ("pattern", "arn", "matches"),
    [
        ("*", "arn:aws:s3:::bucket/key", True),
        ("arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket/a/b:c", True),
        ("arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket", False),
        ("arn:aws:s3:::*/test/*", "arn:aws:s3:::bucket/1/test/key", True),
        ("arn:aws:s3:::b?cket", "arn:aws:s3:::bucket", True),
        ("arn:aws:s3:::Bucket", "arn:aws:s3:::bucket", False),
        # Only at the end of a segment a wildcard matches colons.
        ("arn:aws:sqs:*", "arn:aws:sqs:eu-west-1:111111111111:queue", True),
        ("arn:aws:sqs:eu-*:queue", "arn:aws:sqs:eu-west-1:111111111111:queue", True),
        ("arn:aws:sqs:eu-*1:queue", "arn:aws:sqs:eu-west-1:111111111111:queue", False),
        ("arn:aws:logs:*:1:log-group:/a/*:log-stream:b", f"{_GROUP}:log-stream:b", True),
    ],
)  # fmt: skip
def test_resources(pattern: str, arn: str, matches: bool) -> None:
    """Cases of "IAM JSON policy elements: Resource" (IAM User Guide)."""
    assert bool(patterns.resource(pattern).fullmatch(arn)) is matches


def test_arn_like_checks_each_part_separately() -> None:
    assert patterns.arn("arn:aws:sns:*:111111111111:t*").fullmatch("arn:aws:sns:r:111111111111:t1")
    assert not patterns.arn("arn:aws:*").fullmatch("arn:aws:sns:r:111111111111:t1")
    assert patterns.arn("arn:aws:iam::*:role/a:b").fullmatch("arn:aws:iam::1:role/a:b")


def test_variables() -> None:
    """Cases of "IAM policy elements: Variables and tags" (IAM User Guide)."""
    context = {"aws:username": ["j*ne"], "aws:principaltag/team": ["a", "b"]}
    home = patterns.resolve("arn:aws:s3:::b/${AWS:Username}/*", context)
    assert patterns.resource(home).fullmatch("arn:aws:s3:::b/j*ne/key")
    assert not patterns.resource(home).fullmatch("arn:aws:s3:::b/jane/key")
    assert patterns.resolve("${aws:PrincipalTag/unit, 'none'}", context) == "none"
    assert patterns.literal(patterns.resolve("a${*}b${$}", context)) == "a*b$"
    for absent in ("${aws:PrincipalTag/unit}", "${aws:PrincipalTag/team}"):
        with pytest.raises(patterns.UnresolvedVariableError):
            patterns.resolve(absent, context)
