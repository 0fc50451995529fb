"""Metric math: the grammar, AWS's examples, and missing values."""

from __future__ import annotations

import ast
import contextlib
import math
import operator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from localcloud.cloudwatch import expressions
from localcloud.cloudwatch.metric_math import Scope, evaluate
from localcloud.cloudwatch.model import DefinitionError
from localcloud.cloudwatch.queries import Queries
from localcloud.cloudwatch.time_series import TimeSeries

if TYPE_CHECKING:
    from collections.abc import Callable

Row = list[float | None]


def _series(name: str, row: Row) -> TimeSeries:
    values = {60 * n: float(value) for n, value in enumerate(row) if value is not None}
    return TimeSeries(name, name, 60, values)


def _value(expression: str, **rows: Row) -> Any:
    length = max((len(row) for row in rows.values()), default=5)
    series = {name: _series(name, row) for name, row in rows.items()}
    scope = Scope(
        "e", "e", 60, range(0, 60 * length, 60), series.__getitem__, list(series.values())
    )
    return evaluate(expressions.parse(expression), scope)


def _row(expression: str, **rows: Row) -> Row:
    value = _value(expression, **rows)
    assert isinstance(value, TimeSeries)
    length = max((len(row) for row in rows.values()), default=5)
    return [value.values.get(60 * n) for n in range(length)]


_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
numbers = st.integers(0, 9).map(str)
arithmetic = st.recursive(
    numbers,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/"]), inner).map(" ".join),
        inner.map(lambda each: f"({each})"),
        inner.map(lambda each: f"(-{each})"),
    ),
    max_leaves=12,
)


def _python_value(node: ast.expr) -> float:
    """Evaluate numbers and the four operators with Python."""
    if isinstance(node, ast.BinOp):
        return float(_OPERATORS[type(node.op)](_python_value(node.left), _python_value(node.right)))
    if isinstance(node, ast.UnaryOp):
        return -_python_value(node.operand)
    return float(ast.literal_eval(node))


@given(arithmetic)
def test_arithmetic_equals_pythons(expression: str) -> None:
    try:
        expected = _python_value(ast.parse(expression, mode="eval").body)
    except ZeroDivisionError:
        assume(False)
    assert _value(expression) == pytest.approx(expected)


@given(st.text(max_size=40))
def test_any_invalid_text_raises_the_parsers_own_error(text: str) -> None:
    with contextlib.suppress(DefinitionError):
        expressions.parse(text)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2^3^2", 512.0),
        ("-2^2", -4.0),
        ("1 + 2 * 3 == 7 AND 2 > 1", 1.0),
        ("0 || 1 && 0", 0.0),
        ("1e3 / .5", 2000.0),
    ],
)
def test_precedence(expression: str, value: float) -> None:
    assert _value(expression) == value


def test_the_comparison_examples_of_the_documentation() -> None:
    rows: dict[str, Row] = {"metric1": [30, 20, 0, 0], "metric2": [20, None, 20, None]}
    assert _row("metric1 < metric2", **rows) == [0, 0, 1, 0]
    assert _row("metric1 >= 30", **rows) == [1, 0, 0, 0]
    assert _row("metric1 > 15 AND metric2 > 15", **rows) == [1, 0, 0, 0]


def test_the_condition_examples_of_the_documentation() -> None:
    rows: dict[str, Row] = {
        "metric1": [1, 1, 0, 0, None],
        "metric2": [30, None, 0, 0, 30],
        "metric3": [0, 0, 20, None, 20],
    }
    assert _row("IF(metric1, metric2, metric3)", **rows) == [30, 0, 20, None, None]
    assert _row("IF(metric1, 5, metric3)", **rows) == [5, 5, 20, None, None]
    assert _row("IF(metric1, metric2, 5)", **rows) == [30, 0, 5, 5, None]
    assert _row("IF(metric1, 5)", **rows) == [5, 5, None, None, None]
    assert _row("IF(1, metric2, metric3)", **rows) == rows["metric2"]
    assert _row("IF(0, metric2)", **rows) == [None] * 5


def test_missing_values_count_as_zero_and_divisions_by_zero_are_dropped() -> None:
    rows: dict[str, Row] = {"a": [6, 6, None, None, 0], "b": [2, None, 3, None, 0]}
    assert _row("a + b", **rows) == [8, 6, 3, None, 0]
    assert _row("a / b", **rows) == [3, None, 0, None, None]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("FILL(a, 7)", [1, 7, 3, 7, 9, 7]),
        ("FILL(a, REPEAT)", [1, 1, 3, 3, 9, 9]),
        ("FILL(a, LINEAR)", [1, 2, 3, 6, 9, None]),
        ("FILL(a, b)", [1, 5, 3, 5, 9, 5]),
        ("DIFF(a)", [None, None, 2, None, 6, None]),
        ("RATE(a) * 120", [None, None, 2, None, 6, None]),
        ("DIFF_TIME(a)", [None, None, 120, None, 120, None]),
        ("RUNNING_SUM(a)", [1, None, 4, None, 13, None]),
        ("a - MIN(a)", [0, None, 2, None, 8, None]),
        ("a * 0 + AVG(a)", [13 / 3, None, 13 / 3, None, 13 / 3, None]),
        ("SUM([a, b])", [6, 5, 8, 5, 14, 5]),
        ("MAX([a, b])", [5, 5, 5, 5, 9, 5]),
        ("AVG([a, b])", [3, 2.5, 4, 2.5, 7, 2.5]),
        ("STDDEV([a, b])", [2, 2.5, 1, 2.5, 2, 2.5]),
        ("SUM(METRICS()) - b", [1, 0, 3, 0, 9, 0]),
        ('SUM(METRICS("a"))', [1, None, 3, None, 9, None]),
        ("FIRST(SORT(METRICS(), SUM, DESC))", [5] * 6),
        ("LAST(SLICE(METRICS(), 0, 1))", [1, None, 3, None, 9, None]),
        ("TIME_SERIES(METRIC_COUNT(METRICS()))", [2] * 6),
        ("TIME_SERIES(DATAPOINT_COUNT(a))", [3] * 6),
        ("a / PERIOD(a) * 60", [1, None, 3, None, 9, None]),
        ("CEIL(a / 2) - FLOOR(a / 2)", [1, None, 1, None, 1, None]),
        ("ABS(-a)", [1, None, 3, None, 9, None]),
        ("LOG10(a - 1)", [None, None, math.log10(2), None, math.log10(8), None]),
        ("MINUTE(a)", [0, 1, 2, 3, 4, 5]),
        ("EPOCH(a)", [0, 60, 120, 180, 240, 300]),
        ("IF(a >= 3, b / a, 0)", [0, None, 5 / 3, None, 5 / 9, None]),
    ],
)
def test_functions(expression: str, expected: Row) -> None:
    assert _row(expression, a=[1, None, 3, None, 9, None], b=[5] * 6) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "", "a +", "(a", "a b", "[a", "a $ b", "sum(a)", "NOPE(a)", "IF(a)", "FILL(a)",
        "[a, 1]", "[a, b] + [a, b]", "PERIOD(1)", "TIME_SERIES(a)", "SUM(1)", "RATE(1)",
        "SORT(METRICS(), AVG)", '"text"', "(" * 200, "ABS(a, b)",
    ],
)  # fmt: skip
def test_an_expression_that_cannot_be_computed_is_rejected(expression: str) -> None:
    with pytest.raises(DefinitionError):
        _value(expression, a=[1], b=[1])


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        ("SEARCH('{N} m', 'Sum', 60)", "SEARCH"),
        ("ANOMALY_DETECTION_BAND(a, 2)", "ANOMALY_DETECTION_BAND"),
        ("SELECT AVG(m) FROM N", "Metrics Insights"),
        ("1 + SERVICE_QUOTA(a)", "SERVICE_QUOTA"),
    ],
)
def test_unsupported_functions_are_rejected_by_name(expression: str, named: str) -> None:
    with pytest.raises(DefinitionError, match=named) as refused:
        expressions.parse(expression)
    assert "not part of the local cloud" in str(refused.value)


def _stat(name: str, period: int = 60) -> dict[str, Any]:
    metric = {"Namespace": "N", "MetricName": name}
    return {"Id": name, "MetricStat": {"Metric": metric, "Period": period, "Stat": "Sum"}}


def test_expressions_refer_to_one_another_in_any_order() -> None:
    queries = Queries(
        [
            {"Id": "e2", "Expression": "e1 * 2"},
            {"Id": "e1", "Expression": "a + 1", "ReturnData": False},
            _stat("a", 300),
        ],
        "111111111111",
    )
    found = queries.compute(lambda query: TimeSeries(query["Id"], "A", 300, {0: 1.0}), 0, 600)
    assert found["e2"][0].values == {0: 4.0}
    assert queries.period("e2") == 300


@pytest.mark.parametrize(
    ("queries", "problem"),
    [
        ([_stat("a"), _stat("a")], "unique"),
        ([{"Id": "e1", "Expression": "e2"}, {"Id": "e2", "Expression": "e1"}], "itself"),
        ([{"Id": "e1", "Expression": "nobody + 1"}], "no query with the Id nobody"),
        ([{"Id": "E1", "Expression": "1"}], "parameter Id"),
        ([{"Id": "e1"}], "either MetricStat or Expression"),
        ([_stat("a", 45)], "Period must be"),
        ([_stat("a") | {"AccountId": "222222222222"}], "222222222222"),
    ],
)
def test_invalid_queries_are_rejected(queries: list[dict[str, Any]], problem: str) -> None:
    with pytest.raises(DefinitionError, match=problem):
        Queries(queries, "111111111111")


def test_a_misplaced_token_is_rejected() -> None:
    queries = Queries([_stat("a"), {"Id": "e1", "Expression": "a + REPEAT"}], "111111111111")
    with pytest.raises(DefinitionError, match="Unexpected word REPEAT"):
        queries.compute(lambda query: TimeSeries(query["Id"], "A", 60, {0: 1.0}), 0, 60)


def test_an_expression_must_return_a_time_series() -> None:
    queries = Queries([_stat("a"), {"Id": "e1", "Expression": "MAX(a)"}], "111111111111")
    with pytest.raises(DefinitionError, match="must be a time series"):
        queries.compute(lambda query: TimeSeries(query["Id"], "A", 60, {0: 1.0}), 0, 60)
