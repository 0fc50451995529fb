"""All rules of the lint, and the two questions that it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.gates.template import (
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
from pipeline.gates.template.rules import ask

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.gates.report.findings import Finding
    from pipeline.gates.template.assembly import Stack
    from pipeline.gates.template.rules import Change, Rule

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
