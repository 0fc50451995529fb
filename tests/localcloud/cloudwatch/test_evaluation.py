"""AWS's tables of alarm evaluation, and properties of every alarm."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.cloudwatch.evaluation import COMPARISONS, Datapoint, NewState, Rule, evaluate

KEPT = None
WAYS = ("missing", "ignore", "breaching", "notBreaching")
# "Configuring how CloudWatch alarms treat missing data": an evaluation range of 5, and 3
# evaluation periods; 0 is within the threshold, X beyond it, - missing.
THREE_OF_THREE = [
    ("0 - X - X", "OK", "OK", "OK", "OK"),
    ("0 - - - -", "OK", "OK", "OK", "OK"),
    ("- - - - -", "INSUFFICIENT_DATA", KEPT, "ALARM", "OK"),
    ("0 X X - X", "ALARM", "ALARM", "ALARM", "ALARM"),
    ("- - X - -", "ALARM", KEPT, "ALARM", "OK"),
    # "Avoiding premature transitions to alarm state", and the older table.
    ("- - - - X", "INSUFFICIENT_DATA", KEPT, "ALARM", "OK"),
    ("- - - X -", "INSUFFICIENT_DATA", KEPT, "ALARM", "OK"),
    ("- - - X 0", "OK", "OK", "OK", "OK"),
    ("- - X - 0", "OK", "OK", "OK", "OK"),
    ("X - - - -", "ALARM", KEPT, "ALARM", "OK"),
]
TWO_OF_THREE = [
    ("0 - X - X", "ALARM", "ALARM", "ALARM", "ALARM"),
    ("0 0 X 0 X", "ALARM", "ALARM", "ALARM", "ALARM"),
    ("0 - X - -", "OK", "OK", "ALARM", "OK"),
    ("- - - - 0", "OK", "OK", "ALARM", "OK"),
    ("- - - X -", "ALARM", KEPT, "ALARM", "OK"),
    ("- - - - X", "INSUFFICIENT_DATA", KEPT, "ALARM", "OK"),
]


def _points(drawn: str) -> list[Datapoint | None]:
    values = {"0": 1.0, "X": 9.0}
    return [
        Datapoint(60 * n, values[mark]) if mark in values else None
        for n, mark in enumerate(drawn.split())
    ]


def _rule(to_alarm: int, missing: str = "missing", periods: int = 3) -> Rule:
    return Rule("GreaterThanThreshold", 5.0, periods, to_alarm, missing)  # type: ignore[arg-type]  # one of the literals


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("to_alarm", "row"),
    [(3, row) for row in THREE_OF_THREE] + [(2, row) for row in TWO_OF_THREE],
    ids=str,
)
def test_the_tables_of_the_documentation(
    to_alarm: int, row: tuple[str | None, ...], way: str
) -> None:
    new_state = evaluate(_rule(to_alarm, way), _points(str(row[0])), 300)
    assert (new_state.value if new_state else None) == row[1 + WAYS.index(way)]


marks = st.lists(st.sampled_from("0X-"), min_size=12, max_size=12)
shapes = st.integers(1, 10).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n)))


def _evaluated(drawn: list[str], shape: tuple[int, int], way: str) -> NewState | None:
    rule = _rule(shape[0], way, shape[1])
    return evaluate(rule, _points(" ".join(drawn[-rule.evaluation_range :])), 720)


@given(marks, shapes, st.sampled_from(WAYS))
def test_enough_breaching_data_alarms_however_missing_data_is_treated(
    drawn: list[str], shape: tuple[int, int], way: str
) -> None:
    recent = [mark for mark in drawn[-shape[1] - 2 :] if mark != "-"][-shape[1] :]
    new_state = _evaluated(drawn, shape, way)
    if recent.count("X") >= shape[0]:
        assert new_state is not None
        assert new_state.value == "ALARM"
    elif len(recent) == shape[1]:
        assert new_state is not None
        assert new_state.value == "OK"


@given(marks, shapes)
def test_treating_missing_data_as_breaching_is_never_more_lenient(
    drawn: list[str], shape: tuple[int, int]
) -> None:
    states = {way: _evaluated(drawn, shape, way) for way in WAYS}
    lenient, strict = states["notBreaching"], states["breaching"]
    assert lenient is not None
    assert strict is not None
    if lenient.value == "ALARM":
        assert all(new_state and new_state.value == "ALARM" for new_state in states.values())
    if strict.value == "OK":
        assert all(new_state and new_state.value == "OK" for new_state in states.values())


@given(marks, shapes)
def test_only_missing_data_leaves_an_alarm_undecided(
    drawn: list[str], shape: tuple[int, int]
) -> None:
    undecided = _evaluated(drawn, shape, "ignore") is None
    new_state = _evaluated(drawn, shape, "missing")
    assert new_state is not None
    if new_state.value == "INSUFFICIENT_DATA":
        assert undecided
    if undecided:
        assert "0" not in drawn[-shape[1] - 2 :]


@given(marks, shapes, st.sampled_from(WAYS))
def test_every_alarm_state_has_a_reason(drawn: list[str], shape: tuple[int, int], way: str) -> None:
    new_state = _evaluated(drawn, shape, way)
    if new_state is not None:
        begins = "Insufficient" if new_state.value == "INSUFFICIENT_DATA" else "Threshold Crossed"
        assert new_state.reason.startswith(begins)
        assert new_state.reason.endswith(".")
        assert len(json.loads(new_state.data)["recentDatapoints"]) <= shape[1]


@given(st.sampled_from(COMPARISONS), st.integers(-2, 2))
def test_comparisons(comparison: str, value: int) -> None:
    rule = Rule(comparison, 0.0, 1, 1)
    expected = {
        "GreaterThanThreshold": value > 0,
        "GreaterThanOrEqualToThreshold": value >= 0,
        "LessThanThreshold": value < 0,
        "LessThanOrEqualToThreshold": value <= 0,
    }[comparison]
    new_state = evaluate(rule, [Datapoint(0, float(value))], 60)
    assert new_state is not None
    assert (new_state.value == "ALARM") == expected


def test_state_reasons_match_awss_text() -> None:
    at = 1795508100  # 24 November 2026, 08:15:00
    rule = Rule("GreaterThanThreshold", 0.05, 1, 1, statistic="Average")
    new_state = evaluate(rule, [None, None, Datapoint(at, 0.25, 8.0)], at + 61.5)
    assert new_state is not None
    assert new_state.reason == (
        "Threshold Crossed: 1 out of the last 1 datapoints [0.25 (24/11/26 08:15:00)] was greater "
        "than the threshold (0.05) (minimum 1 datapoint for OK -> ALARM transition)."
    )
    assert json.loads(new_state.data) == {
        "version": "1.0",
        "queryDate": "2026-11-24T08:16:01.500+0000",
        "startDate": "2026-11-24T08:15:00.000+0000",
        "statistic": "Average",
        "period": 60,
        "recentDatapoints": [0.25],
        "threshold": 0.05,
        "evaluatedDatapoints": [
            {"timestamp": "2026-11-24T08:15:00.000+0000", "sampleCount": 8.0, "value": 0.25}
        ],
    }


@pytest.mark.parametrize(
    ("to_alarm", "way", "drawn", "reason"),
    [
        (
            2, "missing", "0 0 X 0 0",
            "Threshold Crossed: 2 out of the last 3 datapoints [1.0 (01/01/70 00:04:00), 1.0 "
            "(01/01/70 00:03:00)] were not greater than the threshold (5.0) (minimum 2 datapoints "
            "for ALARM -> OK transition).",
        ),
        (3, "missing", "- - - - -", "Insufficient Data: 3 datapoints were unknown."),
        (
            3, "breaching", "- - - - -",
            "Threshold Crossed: no datapoints were received for 3 periods and 3 missing datapoints "
            "were treated as [Breaching].",
        ),
        (
            3, "notBreaching", "- - - - 0",
            "Threshold Crossed: 1 out of the last 3 datapoints [1.0 (01/01/70 00:04:00)] was not "
            "greater than the threshold (5.0) and 2 missing datapoints were treated as "
            "[NonBreaching] (minimum 1 datapoint for ALARM -> OK transition).",
        ),
    ],
)  # fmt: skip
def test_reasons(to_alarm: int, way: str, drawn: str, reason: str) -> None:
    new_state = evaluate(_rule(to_alarm, way), _points(drawn), 300)
    assert new_state is not None
    assert new_state.reason == reason


def test_too_few_samples_for_a_percentile_change_nothing() -> None:
    rule = Rule("GreaterThanThreshold", 5.0, 1, 1, least_samples=1000.0)
    assert evaluate(rule, [None, None, Datapoint(0, 9.0, 999.0)], 60) is None
    new_state = evaluate(rule, [None, None, Datapoint(0, 9.0, 1000.0)], 60)
    assert new_state is not None
    assert new_state.value == "ALARM"
