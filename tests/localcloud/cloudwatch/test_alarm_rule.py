"""Rules of composite alarms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.cloudwatch.alarm_rule import AlarmRule
from localcloud.cloudwatch.model import DefinitionError

STATES = {"a": "ALARM", "b": "OK", "c c": "INSUFFICIENT_DATA", 'd"(1)': "ALARM"}


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ("ALARM(a)", True),
        ('ALARM("a") AND OK(b)', True),
        ("ALARM(a) AND NOT OK(b)", False),
        ("OK(a) OR ALARM(b) OR INSUFFICIENT_DATA(c c)", True),
        ("NOT ALARM(b) AND FALSE", False),
        ("NOT (ALARM(b) AND FALSE)", True),
        ("FALSE AND FALSE OR TRUE", True),
        ("FALSE AND (FALSE OR TRUE)", False),
        (r'ALARM("d\"(1)")', True),
        ("ALARM(arn:aws:cloudwatch:eu-west-1:111111111111:alarm:a)", True),
        ("ALARM(nobody)", False),
        (" ( ( ALARM ( a ) ) ) ", True),
    ],
)
def test_rules(rule: str, holds: bool) -> None:
    assert AlarmRule(rule).holds(STATES.get) is holds


def test_a_rule_lists_the_alarms_it_depends_on() -> None:
    rule = AlarmRule('ALARM(a) OR NOT (OK("b") AND INSUFFICIENT_DATA(c c))')
    assert rule.alarms == {"a", "b", "c c"}


@pytest.mark.parametrize(
    "rule",
    ["", "ALARM(a", "ALARM()", 'ALARM("")', "AND", "ALARM(a) ALARM(b)", "TRUE)", "(TRUE", "NOT",
     "a", "alarm(a)", "(" * 300],
)  # fmt: skip
def test_an_invalid_rule_is_rejected(rule: str) -> None:
    with pytest.raises(DefinitionError, match="is not valid"):
        AlarmRule(rule)


rules = st.recursive(
    st.sampled_from([("ALARM(a)", True), ("ALARM(b)", False), ("TRUE", True), ("FALSE", False)]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(
            lambda two: (f"({two[0][0]} AND {two[1][0]})", two[0][1] and two[1][1])
        ),
        st.tuples(inner, inner).map(
            lambda two: (f"({two[0][0]} OR {two[1][0]})", two[0][1] or two[1][1])
        ),
        inner.map(lambda one: (f"NOT {one[0]}", not one[1])),
    ),
    max_leaves=10,
)


@given(rules)
def test_rules_evaluate_as_boolean_logic(rule: tuple[str, bool]) -> None:
    assert AlarmRule(rule[0]).holds(STATES.get) is rule[1]
