"""Evaluate metric math expressions ("Metric math syntax and functions").

A value is a number, a time series, or an array of time series. An operator on two time series uses
0 for a missing value of one of them. A data point that cannot be computed (a division by zero, the
logarithm of 0) is dropped.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from localcloud.cloudwatch.expressions import Call, Listing, Name, Negation, Number, Operation, Text
from localcloud.cloudwatch.model import DefinitionError
from localcloud.cloudwatch.time_series import (
    CALENDAR,
    TimeSeries,
    differences,
    interpolated,
    repeated,
    running_sum,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from localcloud.cloudwatch.expressions import Node

    _Change = Callable[[Mapping[int, float]], Mapping[int, float]]


Value = float | TimeSeries | list[TimeSeries]


@dataclass(frozen=True)
class Scope:
    """The context of an expression; `grid` are all times that can have a value."""

    id: str
    label: str
    period: int
    grid: Sequence[int]
    named: Callable[[str], Value]
    metrics: Sequence[TimeSeries]

    def series(self, values: Mapping[int, float]) -> TimeSeries:
        """Return the expression's own series, without values that are not finite."""
        kept = {time: values[time] for time in sorted(values) if math.isfinite(values[time])}
        return TimeSeries(self.id, self.label, self.period, kept)


_OPERATORS: dict[str, Callable[[float, float], float]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "^": math.pow,
    "==": lambda left, right: float(left == right),
    "!=": lambda left, right: float(left != right),
    "<": lambda left, right: float(left < right),
    "<=": lambda left, right: float(left <= right),
    ">": lambda left, right: float(left > right),
    ">=": lambda left, right: float(left >= right),
    "AND": lambda left, right: float(bool(left) and bool(right)),
    "OR": lambda left, right: float(bool(left) or bool(right)),
}
_POINTWISE: dict[str, Callable[[float], float]] = {
    "ABS": abs,
    "CEIL": lambda value: float(math.ceil(value)),
    "FLOOR": lambda value: float(math.floor(value)),
    "LOG": math.log,
    "LOG10": math.log10,
}
_ARITHMETIC: dict[str, Callable[[Sequence[float]], float]] = {
    "SUM": math.fsum,
    "AVG": lambda values: math.fsum(values) / len(values),
    "MIN": min,
    "MAX": max,
    "STDDEV": statistics.pstdev,
    "DATAPOINT_COUNT": lambda values: float(len(values)),
}
# Over an array, these functions count a series' missing value as 0.
_WITH_ZEROS = {"AVG", "STDDEV"}
_EMPTY_RESULTS = {"SUM": 0.0, "DATAPOINT_COUNT": 0.0}


def evaluate(node: Node, scope: Scope) -> Value:
    """Return the value of an expression.

    Raises:
        DefinitionError: an operand or an argument has the wrong type.
    """
    match node:
        case Number(value):
            return value
        case Name(name):
            return scope.named(name)
        case Negation(operand):
            return _map(scope, lambda value: -value, evaluate(operand, scope))
        case Operation(operator, left, right):
            return _operate(scope, operator, evaluate(left, scope), evaluate(right, scope))
        case Listing(items):
            return [each for item in items for each in _array(evaluate(item, scope))]
        case Call(function, arguments):
            return _call(scope, function, arguments)
        case Text(value):
            raise DefinitionError(f"Unexpected string {value!r} in an expression")


def _operate(scope: Scope, operator: str, left: Value, right: Value) -> Value:
    compute = _OPERATORS[operator]
    if isinstance(left, list) and isinstance(right, list):
        raise DefinitionError(f"Operator {operator} does not take two arrays of time series")
    if isinstance(left, list):
        return [_named(each, _operate(scope, operator, each, right)) for each in left]
    if isinstance(right, list):
        return [_named(each, _operate(scope, operator, left, each)) for each in right]
    if isinstance(left, TimeSeries) and isinstance(right, TimeSeries):
        times = {*left.values, *right.values}
        return scope.series(
            {
                time: _tried(compute, left.values.get(time, 0.0), right.values.get(time, 0.0))
                for time in times
            }
        )
    if isinstance(left, TimeSeries):
        return _map(scope, lambda value: compute(value, float(right)), left)  # type: ignore[arg-type]  # one of the two is a number
    if isinstance(right, TimeSeries):
        return _map(scope, lambda value: compute(left, value), right)
    return _tried(compute, left, right)


def _tried(compute: Callable[..., float], *operands: float) -> float:
    try:
        return compute(*operands)
    except (ArithmeticError, ValueError):
        return math.nan


def _map(scope: Scope, compute: Callable[[float], float], value: Value) -> Value:
    if isinstance(value, list):
        return [_named(each, _map(scope, compute, each)) for each in value]
    if isinstance(value, TimeSeries):
        return scope.series({time: _tried(compute, each) for time, each in value.values.items()})
    return _tried(compute, value)


def _each(scope: Scope, function: str, value: Value, change: _Change) -> Value:
    if isinstance(value, list):
        return [_named(each, _each(scope, function, each, change)) for each in value]
    if isinstance(value, TimeSeries):
        return scope.series(change(value.values))
    raise DefinitionError(f"Function {function} takes a time series, not a number")


def _named(origin: TimeSeries, value: Value) -> TimeSeries:
    """Name the value after `origin`; in an array each series keeps its name."""
    if not isinstance(value, TimeSeries):
        raise DefinitionError("An array can only contain time series")
    return replace(value, id=origin.id, label=origin.label)


def _array(value: Value) -> list[TimeSeries]:
    if isinstance(value, list):
        return value
    if isinstance(value, TimeSeries):
        return [value]
    raise DefinitionError("An array can only contain time series, not numbers")


def _call(scope: Scope, function: str, arguments: tuple[Node, ...]) -> Value:
    if function in _ARRAY_FUNCTIONS:
        return _ARRAY_FUNCTIONS[function](scope, arguments)
    if function not in _SERIES_FUNCTIONS:
        raise DefinitionError(f"Function {function} is unknown")
    if len(arguments) != 1:
        raise DefinitionError(f"Function {function} takes one argument, not {len(arguments)}")
    return _SERIES_FUNCTIONS[function](scope, function, evaluate(arguments[0], scope))


def _metrics(scope: Scope, arguments: tuple[Node, ...]) -> Value:
    match arguments:
        case ():
            return list(scope.metrics)
        case (Text(part),):
            return [each for each in scope.metrics if part in each.id]
    raise DefinitionError("Function METRICS takes no argument or one string")


def _reduce(scope: Scope, function: str, value: Value) -> Value:
    compute = _ARITHMETIC[function]
    if isinstance(value, list):
        times = {time for each in value for time in each.values}
        rows = {
            time: [
                each.values.get(time, 0.0)
                for each in value
                if function in _WITH_ZEROS or time in each.values
            ]
            for time in times
        }
        return scope.series({time: compute(row) for time, row in rows.items()})
    if isinstance(value, TimeSeries):
        found = list(value.values.values())
        return compute(found) if found else _EMPTY_RESULTS.get(function, math.nan)
    raise DefinitionError(f"Function {function} takes time series, not a number")


def _if(scope: Scope, arguments: tuple[Node, ...]) -> Value:
    values = [evaluate(argument, scope) for argument in arguments]
    if len(values) not in {2, 3} or any(isinstance(value, list) for value in values):
        raise DefinitionError("Function IF takes a condition and one or two series or numbers")
    condition, yes = values[0], values[1]
    no = values[2] if len(values) == 3 else scope.series({})  # noqa: PLR2004  # IF's last argument
    if isinstance(condition, float):
        return yes if condition else no
    result: dict[int, float] = {}
    for time, holds in condition.values.items():  # type: ignore[union-attr]  # not a list, see above
        if isinstance(chosen := yes if holds else no, TimeSeries):
            # A true condition without a value is 0; a false one is dropped.
            if holds or time in chosen.values:
                result[time] = chosen.values.get(time, 0.0)
        else:
            result[time] = float(chosen)  # type: ignore[arg-type]  # the value of a series at this time, see above
    return scope.series(result)


def _fill(scope: Scope, arguments: tuple[Node, ...]) -> Value:
    if len(arguments) != 2:  # noqa: PLR2004  # the series and its filler
        raise DefinitionError("Function FILL takes a time series and a filler")
    filler = arguments[1]
    if filler in {Name("REPEAT"), Name("LINEAR")}:
        fill = repeated if filler == Name("REPEAT") else interpolated
        return _each(
            scope,
            "FILL",
            evaluate(arguments[0], scope),
            lambda values: fill(values, scope.grid),
        )
    value = evaluate(filler, scope)
    if isinstance(value, list):
        raise DefinitionError("Function FILL takes a number or one time series as filler")
    known = value.values if isinstance(value, TimeSeries) else dict.fromkeys(scope.grid, value)
    return _each(scope, "FILL", evaluate(arguments[0], scope), lambda values: {**known, **values})


def _sort(scope: Scope, arguments: tuple[Node, ...]) -> Value:
    match arguments:
        case (
            array,
            Name("AVG" | "MIN" | "MAX" | "SUM" as function),
            Name("ASC" | "DESC" as order),
            *most,
        ):
            ranked = sorted(
                _array(evaluate(array, scope)),
                key=lambda each: _rank(scope, function, each),
                reverse=order == "DESC",
            )
            return ranked[: int(most[0].value)] if most and isinstance(most[0], Number) else ranked
    raise DefinitionError("Function SORT takes an array, AVG, MIN, MAX or SUM, and ASC or DESC")


def _rank(scope: Scope, function: str, series: TimeSeries) -> float:
    value = _reduce(scope, function, series)
    return value if isinstance(value, float) and math.isfinite(value) else -math.inf


def _slice(scope: Scope, arguments: tuple[Node, ...]) -> Value:
    match [evaluate(argument, scope) for argument in arguments]:
        case [list() as array, float() as begin]:
            return array[int(begin) :]
        case [list() as array, float() as begin, float() as end]:
            return array[int(begin) : int(end)]
    raise DefinitionError("Function SLICE takes an array and one or two numbers")


def _period(_scope: Scope, function: str, value: Value) -> Value:
    if not isinstance(value, TimeSeries):
        raise DefinitionError(f"Function {function} takes a time series")
    return float(value.period)


def _time_series(scope: Scope, function: str, value: Value) -> Value:
    if not isinstance(value, float):
        raise DefinitionError(f"Function {function} takes a number")
    return scope.series(dict.fromkeys(scope.grid, value))


def _calendar(scope: Scope, function: str, _value: Value) -> Value:
    return scope.series({time: float(CALENDAR[function](time)) for time in scope.grid})


_ARRAY_FUNCTIONS: dict[str, Callable[[Scope, tuple[Node, ...]], Value]] = {
    "FILL": _fill,
    "IF": _if,
    "METRICS": _metrics,
    "SLICE": _slice,
    "SORT": _sort,
}
_STEP_FUNCTIONS: dict[str, _Change] = {
    "DIFF": lambda values: differences(values, lambda value, _: value),
    "DIFF_TIME": lambda values: differences(values, lambda _, seconds: seconds),
    "RATE": lambda values: differences(values, lambda value, seconds: value / seconds),
    "RUNNING_SUM": running_sum,
}
_SERIES_FUNCTIONS: dict[str, Callable[[Scope, str, Value], Value]] = {
    **dict.fromkeys(_POINTWISE, lambda scope, name, value: _map(scope, _POINTWISE[name], value)),
    **dict.fromkeys(
        _STEP_FUNCTIONS, lambda scope, name, value: _each(scope, name, value, _STEP_FUNCTIONS[name])
    ),
    **dict.fromkeys(_ARITHMETIC, _reduce),
    **dict.fromkeys(CALENDAR, _calendar),
    "FIRST": lambda scope, _, value: next(iter(_array(value)), scope.series({})),
    "LAST": lambda scope, _, value: next(reversed(_array(value)), scope.series({})),
    "METRIC_COUNT": lambda _scope, _, value: float(len(_array(value))),
    "PERIOD": _period,
    "REMOVE_EMPTY": lambda _scope, _, value: [each for each in _array(value) if each.values],
    "TIME_SERIES": _time_series,
}
