"""Define the rules of the lint, and apply them to stacks and changes."""

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
"""Name of the tool in findings."""


@dataclass(frozen=True)
class Safeguards:
    """The settings in files that can refuse a release (`pipeline.builds.safeguards`), by file."""

    deployed: Mapping[str, Any] | None
    """The settings that prod's stack recorded at its deployment; None if it has no record yet."""
    released: Mapping[str, Any]
    """The settings of the released checkout."""
    now: datetime
    trees: frozenset[str] | None = None
    """Git trees of the comparison's code in the released commit; None if it is no git checkout."""


@dataclass(frozen=True)
class Change:
    """A stack of the assembly, and its deployed template."""

    stack: Stack
    deployed: Template
    safeguards: Safeguards | None = None
    """None if no checkout is compared."""


@dataclass(frozen=True)
class Violation:
    """One violation of a rule."""

    subject: str
    """A stable name, the same in every run: a logical id, and the part of the resource."""
    message: str
    """The violation and the next step."""
    severity: Literal["error", "warning"] = "error"


SubjectT = TypeVar("SubjectT", Stack, Change)


@dataclass(frozen=True)
class Rule(Generic[SubjectT]):
    """A rule of the lint."""

    id: str
    why: str
    """The reason in one sentence, with its source."""
    check: Callable[[SubjectT], Iterator[Violation]]


def evaluate(rules: Iterable[Rule[SubjectT]], subjects: Iterable[SubjectT]) -> Iterator[Finding]:
    """Yield a finding for each violation of a rule by a stack or a change."""
    all_rules = tuple(rules)
    for subject in subjects:
        stack = subject.stack if isinstance(subject, Change) else subject
        for rule in all_rules:
            for violation in rule.check(subject):
                yield Finding(
                    tool=TOOL,
                    rule=rule.id,
                    message=violation.message,
                    path=stack.path,
                    severity=violation.severity,
                    subject=violation.subject,
                )
