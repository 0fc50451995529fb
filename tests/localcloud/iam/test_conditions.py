from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.iam.conditions import OPERATORS, Condition, InvalidValueError, UnknownOperatorError

_ROLE = "arn:aws:iam::111111111111:role/r"

# Operator, the policy's values, the request's values, and the result.
CASES: list[tuple[str, list[str], list[str] | None, bool]] = [
    ("StringEquals", ["a", "b"], ["b"], True),
    ("StringEquals", ["a"], ["A"], False),
    ("StringEquals", ["a*"], ["ab"], False),
    ("StringNotEquals", ["a", "b"], ["b"], False),
    ("StringNotEquals", ["a"], None, True),
    ("StringEqualsIgnoreCase", ["A"], ["a"], True),
    ("StringNotEqualsIgnoreCase", ["A"], ["a"], False),
    ("StringLike", ["home/*"], ["home/x/y"], True),
    ("StringLike", ["home/?"], ["home/xy"], False),
    ("StringNotLike", ["home/*"], ["other"], True),
    ("NumericLessThanEquals", ["10"], ["10"], True),
    ("NumericLessThan", ["10"], ["10"], False),
    ("NumericGreaterThan", ["10"], ["11"], True),
    ("NumericGreaterThanEquals", ["10"], ["9"], False),
    ("NumericEquals", ["10"], ["10.0"], True),
    ("NumericNotEquals", ["10"], ["ten"], True),
    ("DateGreaterThan", ["2026-01-01T00:00:00Z"], ["2026-01-02T00:00:00Z"], True),
    ("DateLessThan", ["2026-01-01T00:00:00Z"], ["2026-01-02T00:00:00Z"], False),
    ("DateLessThanEquals", ["1767225600"], ["2026-01-01T00:00:00Z"], True),
    ("DateEquals", ["2026-01-01"], ["1767225600"], True),
    ("DateNotEquals", ["2026-01-01"], ["1767225600"], False),
    ("DateGreaterThanEquals", ["2026-01-01"], ["1767225600"], True),
    ("Bool", ["true"], ["true"], True),
    ("Bool", ["false"], ["true"], False),
    ("Bool", ["false"], None, False),
    ("BoolIfExists", ["false"], None, True),
    ("BinaryEquals", ["QmluYXJ5"], ["QmluYXJ5"], True),
    ("IpAddress", ["203.0.113.0/24", "2001:db8::/32"], ["203.0.113.7"], True),
    ("IpAddress", ["203.0.113.0/24"], ["192.0.2.1"], False),
    ("NotIpAddress", ["203.0.113.0/24"], ["192.0.2.1"], True),
    ("ArnEquals", ["arn:aws:iam::*:role/r"], [_ROLE], True),
    ("ArnLike", ["arn:aws:iam::222222222222:role/*"], [_ROLE], False),
    ("ArnNotEquals", [_ROLE], [_ROLE], False),
    ("ArnNotLike", [_ROLE], None, True),
    ("Null", ["true"], None, True),
    ("Null", ["false"], None, False),
    ("Null", ["true"], ["x"], False),
    ("StringEqualsIfExists", ["a"], None, True),
    ("StringEqualsIfExists", ["a"], ["b"], False),
    ("ForAllValues:StringEquals", ["a", "b"], ["a", "b"], True),
    ("ForAllValues:StringEquals", ["a", "b"], ["a", "c"], False),
    ("ForAllValues:StringEquals", ["a"], None, True),
    ("ForAllValues:StringNotEquals", ["a"], ["b", "a"], False),
    ("ForAnyValue:StringEquals", ["a", "b"], ["c", "b"], True),
    ("ForAnyValue:StringEquals", ["a"], None, False),
    ("ForAnyValue:StringNotEquals", ["a"], ["a", "b"], True),
    ("ForAnyValue:StringLikeIfExists", ["a*"], None, True),
]


@pytest.mark.parametrize(("operator", "values", "given_", "holds"), CASES)
def test_operators(operator: str, values: list[str], given_: list[str] | None, holds: bool) -> None:
    """Cases of "Condition operators" and "Set operators" (IAM User Guide)."""
    context = {} if given_ is None else {"aws:key": given_}
    assert Condition(operator, "aws:Key", values).holds(context) is holds


def test_every_operator_has_a_case() -> None:
    assert {each for each in OPERATORS if not any(each in case[0] for case in CASES)} == set()
    assert len(OPERATORS) == 27


@pytest.mark.parametrize(
    "operator",
    ["StringEqual", "stringequals", "NullIfExists", "ForAnyValue:Null", "ForAll:Bool", ""],
)
def test_an_unknown_operator_is_rejected(operator: str) -> None:
    with pytest.raises(UnknownOperatorError):
        Condition(operator, "aws:Key", ["true"])


@pytest.mark.parametrize(
    ("operator", "value"),
    [("NumericEquals", "x"), ("DateEquals", "x"), ("IpAddress", "x"), ("Null", "x")],
)
def test_a_value_of_another_type_is_rejected(operator: str, value: str) -> None:
    with pytest.raises(InvalidValueError):
        Condition(operator, "aws:Key", [value])


def test_variables_in_values() -> None:
    own = Condition("StringEquals", "s3:prefix", ["home/${aws:username}"])
    assert own.holds({"aws:username": ["ann"], "s3:prefix": ["home/ann"]})
    assert not own.holds({"s3:prefix": ["home/"]})
    # Version 2008-10-17 has no variables.
    old = Condition("StringEquals", "s3:prefix", ["${aws:username}"], variables=False)
    assert old.holds({"aws:username": ["ann"], "s3:prefix": ["${aws:username}"]})
    assert not old.holds({"aws:username": ["ann"], "s3:prefix": ["ann"]})


_NEGATIONS = {
    "StringEquals": "StringNotEquals",
    "StringLike": "StringNotLike",
    "NumericEquals": "NumericNotEquals",
    "ArnLike": "ArnNotLike",
}
_VALUES = st.sampled_from(["1", "2", "a", "arn:aws:s3:::b", "arn:aws:s3:::c"])


@given(
    st.sampled_from(sorted(_NEGATIONS)),
    st.lists(st.sampled_from(["1", "2"]), min_size=1),
    st.none() | st.lists(_VALUES, min_size=1, max_size=1),
)
def test_a_negated_operator_is_the_opposite(
    operator: str, values: list[str], given_: list[str] | None
) -> None:
    context = {} if given_ is None else {"aws:key": given_}
    positive = Condition(operator, "aws:key", values).holds(context)
    assert Condition(_NEGATIONS[operator], "aws:key", values).holds(context) is not positive
