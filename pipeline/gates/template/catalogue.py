"""All rules of the lint: for stacks, and for changes of deployed stacks."""

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
    pipeline_additions,
    pipelines,
    protection,
    rollouts,
    settings,
    stateful,
)
from pipeline.gates.template.rules import evaluate

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
"""Rules that need only the assembly."""
OF_CHANGES: tuple[Rule[Change], ...] = (
    *stateful.RULES,
    *durability.RULES,
    *broadening.RULES,
    *protection.RULES,
    *alarms.RULES,
    *rollouts.RULES,
    *pipelines.RULES,
    *pipeline_additions.RULES,
    *settings.RULES,
)
"""Rules that compare the assembly with the deployed templates."""


def lint(stacks: Iterable[Stack]) -> list[Finding]:
    """Return the findings in stacks."""
    return list(evaluate(OF_STACKS, stacks))


def compare(changes: Iterable[Change]) -> list[Finding]:
    """Return the findings in changes.

    Raises:
        SchemasError: the schemas that say which changes replace a resource are missing.
    """
    return list(evaluate(OF_CHANGES, changes))
