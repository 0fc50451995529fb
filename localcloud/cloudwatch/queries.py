"""Metric data queries of `GetMetricData` and of alarms ("MetricDataQuery")."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING

from localcloud.cloudwatch import expressions
from localcloud.cloudwatch.expressions import Call, Listing, Name, Negation, Operation
from localcloud.cloudwatch.metric_math import Scope, evaluate
from localcloud.cloudwatch.model import DefinitionError, metric_of
from localcloud.cloudwatch.statistics import check_statistic
from localcloud.cloudwatch.time_series import TimeSeries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from localcloud.cloudwatch.expressions import Node
    from localcloud.cloudwatch.metric_math import Value
    from localcloud.cloudwatch.metrics import MetricStore
    from localcloud.core.ports import Document

    Fetch = Callable[[Document], TimeSeries]
    """Reads the time series of a query's `MetricStat`."""

_ID = re.compile(r"[a-z][a-zA-Z0-9_]*")
_SHORT_PERIODS = {1, 5, 10, 20, 30}
_MINUTE_SECONDS = 60
_DEFAULT_PERIOD_SECONDS = 300  # seconds, for an expression without metrics and without a period


class Queries:
    """A request's queries; computes each once, after those that it refers to.

    Raises:
        DefinitionError: a query is malformed, or not supported by the local cloud.
    """

    def __init__(self, queries: Sequence[Document], account: str) -> None:
        self._queries = {query["Id"]: query for query in queries}
        self._trees: dict[str, Node] = {}
        twice = [
            name for name, count in Counter(each["Id"] for each in queries).items() if count > 1
        ]
        if twice:
            raise DefinitionError(f"The values of Id must be unique: {twice[0]} is used twice")
        for query in queries:
            self._check(query, account)
        for name in self._trees:
            self._check_cycle(name, ())

    def _check(self, query: Document, account: str) -> None:
        name = query["Id"]
        if not _ID.fullmatch(name):
            raise DefinitionError(
                f"The value {name} for parameter Id is invalid: it must begin with a lower case "
                "letter and contain only letters, digits and underscores"
            )
        if ("Expression" in query) == ("MetricStat" in query):
            raise DefinitionError(f"Query {name} must have either MetricStat or Expression")
        if query.get("AccountId") not in {None, account}:
            raise DefinitionError(
                f"Query {name}: metrics of another account ({query['AccountId']}) are not part "
                "of the local cloud"
            )
        if "Expression" in query:
            self._trees[name] = expressions.parse(query["Expression"])
            if "Period" in query:
                check_period(query["Period"])
        else:
            check_statistic(query["MetricStat"]["Stat"])
            check_period(query["MetricStat"]["Period"])

    def _check_cycle(self, name: str, behind: tuple[str, ...]) -> None:
        if name in behind:
            raise DefinitionError(f"Expression {name} refers to itself")
        for other in _names(self._trees[name]):
            if other not in self._queries:
                raise DefinitionError(
                    f"Error in expression {name!r}: there is no query with the Id {other}"
                )
            if other in self._trees:
                self._check_cycle(other, (*behind, name))

    def period(self, name: str) -> int:
        """Return a query's period in seconds: the longest period of its metrics."""
        query = self._queries[name]
        if "MetricStat" in query:
            return int(query["MetricStat"]["Period"])
        tree = self._trees[name]
        used = [self.period(other) for other in _names(tree)]
        if _calls(tree, "METRICS"):
            used += [self.period(each) for each in self._queries if each not in self._trees]
        return max(used, default=int(query.get("Period") or _DEFAULT_PERIOD_SECONDS))

    def compute(self, fetch: Fetch, begin: int, end: float) -> dict[str, list[TimeSeries]]:
        """Return the time series of each query in [`begin`, `end`).

        Raises:
            DefinitionError: an expression returns a number, or has an invalid argument.
        """
        known: dict[str, Value] = {
            name: fetch(query) for name, query in self._queries.items() if "MetricStat" in query
        }
        metrics = [value for value in known.values() if isinstance(value, TimeSeries)]

        def named(name: str) -> Value:
            if name not in self._queries:
                raise DefinitionError(f"Unexpected word {name} in an expression")
            if name not in known:
                period = self.period(name)
                grid = range(begin, math.ceil(end), period)
                label = self._queries[name].get("Label") or name
                scope = Scope(name, label, period, grid, named, metrics)
                known[name] = evaluate(self._trees[name], scope)
            return known[name]

        result: dict[str, list[TimeSeries]] = {}
        for name, query in self._queries.items():
            value = named(name)
            if isinstance(value, float):
                if returned(query):
                    raise DefinitionError(
                        f"Expression {query['Expression']!r} of {name} returns a number; the "
                        "result must be a time series"
                    )
                continue
            result[name] = value if isinstance(value, list) else [value]
        return result


def returned(query: Document) -> bool:
    """Return whether a query's result is returned (`ReturnData`)."""
    return query.get("ReturnData", True) is not False


def check_period(period: int) -> None:
    """Check a period in seconds.

    Raises:
        DefinitionError: it is neither 1, 5, 10, 20 or 30 nor a multiple of 60.
    """
    if period not in _SHORT_PERIODS and (period < _MINUTE_SECONDS or period % _MINUTE_SECONDS):
        raise DefinitionError(
            f"The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60, not {period}"
        )


def reader(store: MetricStore, account: str, region: str, begin: int, end: float) -> Fetch:
    """Return a function that reads a query's data in [`begin`, `end`) from the store."""

    def fetch(query: Document) -> TimeSeries:
        stat = query["MetricStat"]
        metric = metric_of(account, region, stat["Metric"])
        windows = store.windows(metric, stat.get("Unit"), begin, end, stat["Period"])
        values = {}
        for time, distribution in windows.items():
            value = distribution.statistic(stat["Stat"])
            if value is not None:
                values[time] = value
        label = query.get("Label") or metric.name
        return TimeSeries(query["Id"], label, stat["Period"], values)

    return fetch


def _children(node: Node) -> tuple[Node, ...]:
    match node:
        case Negation(operand):
            return (operand,)
        case Operation(_, left, right):
            return (left, right)
        case Listing(items):
            return items
        case Call(_, arguments):
            return arguments
    return ()


def _names(node: Node) -> Iterator[str]:
    """Yield the ids in an expression; words in capitals such as REPEAT are not ids."""
    if isinstance(node, Name) and not node.name.isupper():
        yield node.name
    for child in _children(node):
        yield from _names(child)


def _calls(node: Node, function: str) -> bool:
    return (isinstance(node, Call) and node.function == function) or any(
        _calls(child, function) for child in _children(node)
    )
