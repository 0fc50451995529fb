"""All rules of the lint, and the two questions that it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.lint import (
    access,
    alarms,
    broadening,
    builds,
    durability,
    guards,
    limits,
    newcomers,
    pipelines,
    protection,
    rollouts,
    settings,
    stateful,
)
from pipeline.lint.rules import ask

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.gates.findings import Finding
    from pipeline.lint.assembly import Stack
    from pipeline.lint.rules import Change, Rule

OF_STACKS: tuple[Rule[Stack], ...] = (
    *builds.RULES,
    *limits.RULES,
    *guards.RULES,
    *access.RULES,
)
"""The rules that need the assembly alone."""
OF_CHANGES: tuple[Rule[Change], ...] = (
    *stateful.RULES,
    *durability.RULES,
    *broadening.RULES,
    *protection.RULES,
    *alarms.RULES,
    *rollouts.RULES,
    *pipelines.RULES,
    *newcomers.RULES,
    *settings.RULES,
)
"""The rules that need to know what is deployed."""


def lint(stacks: Iterable[Stack]) -> list[Finding]:
    """What is wrong with stacks, whatever is deployed."""
    return list(ask(OF_STACKS, stacks))


def compare(changes: Iterable[Change]) -> list[Finding]:
    """What changes would lose or open.

    Raises:
        SchemasError: nobody knows what CloudFormation replaces.
    """
    return list(ask(OF_CHANGES, changes))
