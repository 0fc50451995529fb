"""What a rule of the lint is, and how rules are asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from pipeline.gates.report.findings import Finding
from pipeline.gates.template.assembly import Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from pipeline.gates.template.template import Template

TOOL = "pithead-lint"
"""By what name the findings go."""


@dataclass(frozen=True)
class Safeguards:
    """What stands in files and may hold a release back (`pipeline.builds.safeguards`), by file."""

    deployed: Mapping[str, Any] | None
    """As prod's stack recorded it when it was deployed; None where it has no record yet."""
    released: Mapping[str, Any]
    """As the released checkout has it."""
    now: datetime
    trees: frozenset[str] | None = None
    """The git trees that the released commit's comparison consists of; None where it is no git
    checkout."""


@dataclass(frozen=True)
class Change:
    """A stack as it is to be, and its template as it is deployed now."""

    stack: Stack
    deployed: Template
    safeguards: Safeguards | None = None
    """None where no checkout was compared."""


@dataclass(frozen=True)
class Fault:
    """What a rule says about one thing."""

    subject: str
    """What it is about, the same in every run: a logical id and, where it has several, which."""
    message: str
    """What was found, and what to do."""
    severity: Literal["error", "warning"] = "error"


JudgedT = TypeVar("JudgedT", Stack, Change)


@dataclass(frozen=True)
class Rule(Generic[JudgedT]):
    """One thing that bites."""

    id: str
    why: str
    """Why it bites, in a line, with the document or issue that it comes from."""
    check: Callable[[JudgedT], Iterator[Fault]]


def ask(rules: Iterable[Rule[JudgedT]], judged: Iterable[JudgedT]) -> Iterator[Finding]:
    """What the rules find in stacks, or in their changes."""
    each_rule = tuple(rules)
    for one in judged:
        stack = one.stack if isinstance(one, Change) else one
        for rule in each_rule:
            for fault in rule.check(one):
                yield Finding(
                    tool=TOOL,
                    rule=rule.id,
                    message=fault.message,
                    path=stack.path,
                    severity=fault.severity,
                    subject=fault.subject,
                )
