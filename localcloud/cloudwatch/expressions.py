"""Parse metric math into a syntax tree ("Metric math syntax and functions").

Operators from lowest to highest precedence: `OR` `||`, `AND` `&&`, comparisons, `+ -`, `* /`, unary
`-`, `^`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from localcloud.cloudwatch.model import DefinitionError

_MAX_DEPTH = 100
_WORD = re.compile(
    r"""\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)
    |(?P<name>[A-Za-z_]\w*)
    |(?P<text>"[^"]*"|'[^']*')
    |(?P<sign>==|!=|<=|>=|&&|\|\||[-+*/^<>()\[\],]))""",
    re.VERBOSE,
)
_BINARY = {
    "OR": 1, "AND": 2,
    "==": 3, "!=": 3, "<": 3, "<=": 3, ">": 3, ">=": 3,
    "+": 4, "-": 4, "*": 5, "/": 5, "^": 7,
}  # fmt: skip
_UNARY = 6
_SYNONYMS = {"||": "OR", "&&": "AND"}
_UNSUPPORTED = {
    "SEARCH": "search expressions are",
    "ANOMALY_DETECTION_BAND": "anomaly detection is",
    "INSIGHT_RULE_METRIC": "Contributor Insights is",
    "SERVICE_QUOTA": "service quotas are",
    "DB_PERF_INSIGHTS": "Performance Insights is",
    "LAMBDA": "Lambda data sources are",
}


@dataclass(frozen=True)
class Number:
    """A number."""

    value: float


@dataclass(frozen=True)
class Text:
    """A quoted string."""

    value: str


@dataclass(frozen=True)
class Name:
    """The id of a metric or expression, or a word such as `REPEAT`."""

    name: str


@dataclass(frozen=True)
class Call:
    """A function and its arguments."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Negation:
    """Unary subtraction."""

    operand: Node


@dataclass(frozen=True)
class Operation:
    """A binary operator, `AND` and `OR` by those names."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Listing:
    """An array of time series, `[m1, m2]`."""

    items: tuple[Node, ...]


Node = Number | Text | Name | Call | Negation | Operation | Listing


def parse(expression: str) -> Node:
    """Parse an expression.

    Raises:
        DefinitionError: it is not metric math, or uses a function that the local cloud does not
            have.
    """
    if re.match(r"\s*SELECT\b", expression, re.IGNORECASE):
        raise DefinitionError(
            f"Expression {expression!r}: Metrics Insights queries are not part of the local cloud"
        )
    return _Parser(expression).whole()


class _Parser:
    def __init__(self, expression: str) -> None:
        self._expression = expression
        self._words: list[tuple[str, str]] = []
        self._next = 0
        self._depth = 0
        position = 0
        while expression[position:].strip():
            found = _WORD.match(expression, position)
            if found is None:
                raise self._error(f"unexpected {expression[position:].strip()[0]!r}")
            kind = str(found.lastgroup)
            word = found[kind]
            if word in {"AND", "OR"} or word in _SYNONYMS:
                kind, word = "sign", _SYNONYMS.get(word, word)
            self._words.append((kind, word))
            position = found.end()

    def whole(self) -> Node:
        node = self._operation(0)
        if self._next < len(self._words):
            raise self._error(f"unexpected {self._words[self._next][1]!r}")
        return node

    def _operation(self, loosest: int) -> Node:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._error(f"nested deeper than {_MAX_DEPTH}")
        left = self._operand()
        while self._sign() in _BINARY and _BINARY[self._sign()] > loosest:
            operator = self._take()[1]
            strength = _BINARY[operator]
            # Powers are right-associative: 2^3^2 is 2^9.
            left = Operation(
                operator, left, self._operation(strength - 1 if operator == "^" else strength)
            )
        self._depth -= 1
        return left

    def _operand(self) -> Node:
        kind, word = self._take()
        if kind == "number":
            return Number(float(word))
        if kind == "text":
            return Text(word[1:-1])
        if kind == "name":
            return self._call(word) if self._sign() == "(" else Name(word)
        if word == "-":
            return Negation(self._operation(_UNARY))
        if word == "(":
            node = self._operation(0)
            self._expect(")")
            return node
        if word == "[":
            return Listing(self._arguments("]"))
        raise self._error(f"unexpected {word!r}")

    def _call(self, function: str) -> Node:
        if function in _UNSUPPORTED:
            raise DefinitionError(
                f"Expression {self._expression!r}: {function} is not supported: "
                f"{_UNSUPPORTED[function]} not part of the local cloud"
            )
        self._expect("(")
        return Call(function, self._arguments(")"))

    def _arguments(self, end: str) -> tuple[Node, ...]:
        if self._sign() == end:
            self._take()
            return ()
        found = [self._operation(0)]
        while self._sign() == ",":
            self._take()
            found.append(self._operation(0))
        self._expect(end)
        return tuple(found)

    def _sign(self) -> str:
        if self._next == len(self._words):
            return ""
        kind, word = self._words[self._next]
        return word if kind == "sign" else ""

    def _take(self) -> tuple[str, str]:
        if self._next == len(self._words):
            raise self._error("unexpected end")
        self._next += 1
        return self._words[self._next - 1]

    def _expect(self, sign: str) -> None:
        found = self._words[self._next][1] if self._next < len(self._words) else "the end"
        if self._sign() != sign:
            raise self._error(f"expected {sign!r}, found {found!r}")
        self._next += 1

    def _error(self, problem: str) -> DefinitionError:
        return DefinitionError(f"Error in expression {self._expression!r}: {problem}")
