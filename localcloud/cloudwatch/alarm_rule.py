"""The rule of a composite alarm ("AlarmRule" of `PutCompositeAlarm`)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localcloud.cloudwatch.model import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MAX_DEPTH = 100
_TOKEN = re.compile(
    r"""\s*(?:(?P<state>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*
            (?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^()"]+?))\s*\)
    |(?P<word>AND|OR|NOT|TRUE|FALSE)\b
    |(?P<sign>[()]))""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class _Node:
    """An alarm's required state (`alarm` is set), a constant, or an operator."""

    what: str
    alarm: str = ""
    operands: tuple[_Node, ...] = ()

    def alarms(self) -> Iterator[str]:
        if self.alarm:
            yield self.alarm
        for operand in self.operands:
            yield from operand.alarms()

    def holds(self, state: Callable[[str], str | None]) -> bool:
        if self.alarm:
            return state(self.alarm) == self.what
        if self.what == "AND":
            return all(operand.holds(state) for operand in self.operands)
        if self.what == "OR":
            return any(operand.holds(state) for operand in self.operands)
        if self.what == "NOT":
            return not self.operands[0].holds(state)
        return self.what == "TRUE"


class AlarmRule:
    """A rule over the states of other alarms, given by name or ARN.

    `NOT` binds tightest, then `AND`, then `OR`.

    Raises:
        DefinitionError: the rule cannot be parsed.
    """

    def __init__(self, rule: str) -> None:
        self._rule = rule
        self._tokens: list[tuple[str, str]] = []
        self._depth = 0
        position = 0
        while rule[position:].strip():
            found = _TOKEN.match(rule, position)
            if found is None:
                raise self._error(f"unexpected {rule[position:].strip()[:20]!r}")
            if found["state"]:
                quoted = found["quoted"]
                name = found["plain"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
                self._tokens.append((found["state"], _name(name)))
            else:
                self._tokens.append((found["word"] or found["sign"], ""))
            position = found.end()
        self._root = self._disjunction()
        if self._tokens:
            raise self._error(f"unexpected {self._tokens[0][0]!r}")

    @property
    def alarms(self) -> set[str]:
        """The names of the alarms that the rule depends on."""
        return set(self._root.alarms())

    def holds(self, state: Callable[[str], str | None]) -> bool:
        """Return whether the rule is true; `state` returns an alarm's state by its name."""
        return self._root.holds(state)

    def _disjunction(self) -> _Node:
        return self._joined("OR", self._conjunction)

    def _conjunction(self) -> _Node:
        return self._joined("AND", self._term)

    def _joined(self, operator: str, operand: Callable[[], _Node]) -> _Node:
        operands = [operand()]
        while self._tokens and self._tokens[0] == (operator, ""):
            self._tokens.pop(0)
            operands.append(operand())
        return operands[0] if len(operands) == 1 else _Node(operator, operands=tuple(operands))

    def _term(self) -> _Node:
        self._depth += 1
        if not self._tokens or self._depth > _MAX_DEPTH:
            raise self._error("unexpected end" if not self._tokens else "nested too deep")
        what, name = self._tokens.pop(0)
        if what == "NOT":
            node = _Node("NOT", operands=(self._term(),))
        elif what == "(":
            node = self._disjunction()
            if not self._tokens or self._tokens.pop(0)[0] != ")":
                raise self._error("a parenthesis is not closed")
        elif name or what in {"TRUE", "FALSE"}:
            node = _Node(what, name)
        else:
            raise self._error(f"unexpected {what!r}")
        self._depth -= 1
        return node

    def _error(self, problem: str) -> DefinitionError:
        return DefinitionError(f"AlarmRule {self._rule!r} is not valid: {problem}")


def _name(alarm: str) -> str:
    return alarm.split(":alarm:", 1)[1] if alarm.startswith("arn:") else alarm
