"""Find stacks that the pipeline would no longer deploy: renamed, moved or removed ones."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.gates.template.assembly import LookupRole
from pipeline.gates.template.stages import actions, pipelines
from pipeline.gates.template.stateful import STATEFUL
from pipeline.gates.template.template import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.gates.template.assembly import Stack
    from pipeline.gates.template.rules import Change
    from pipeline.gates.template.stages import Action
    from pipeline.gates.template.template import Template

RULE = "PH711"
WHY = (
    "A stack with another name, account or region is a new stack: the old one stays with its data, "
    'and nothing deploys, watches or deletes it any more (CDK, "Identifiers and the CDK").'
)
_DEPLOY_ROLE = re.compile(r"(.*:iam::(\d{12}):role/.*)deploy-role-\d{12}-([a-z0-9-]+)")


@dataclass(frozen=True)
class OrphanedStack:
    """A stack that would stay behind."""

    name: str
    account: str
    region: str
    lookup_role: LookupRole | None


def orphaned(change: Change) -> list[OrphanedStack]:
    """Return the stacks that a change of the pipeline leaves behind, each once."""
    stack = change.stack
    old = _deployed(change.deployed, stack)
    new = set(_deployed(stack.template, stack))
    return sorted(set(old) - new, key=lambda each: (each.name, each.account, each.region))


def finding(stack: Stack, left: OrphanedStack, template: Template | None) -> tuple[str, str]:
    """Return the subject and the message of the finding about a stack that would stay behind.

    `template` is the stack's deployed template; None if it could not be read.
    """
    held = ", ".join(
        f"{each.type} {each.logical_id}"
        for each in (template.resources.values() if template else ())
        if each.type in STATEFUL
    )
    what = (
        "its template could not be read"
        if template is None
        else f"it has {len(template.resources)} resources, with data in {held or 'none of them'}"
    )
    return (
        f"{left.name} {left.account} {left.region}",
        f"stack {left.name} in account {left.account}, {left.region}, is deployed by "
        f"{stack.name} now and would stay behind: {what}; keep its name, account and region, or "
        "move its data, delete the stack and waive this",
    )


def _deployed(template: Template, stack: Stack) -> Iterator[OrphanedStack]:
    for pipeline in pipelines(template):
        yield from _of(actions(template, pipeline, None), stack)


def _of(found: Iterable[Action], stack: Stack) -> Iterator[OrphanedStack]:
    for action in found:
        if action.provider != "CloudFormation":
            continue
        role = _DEPLOY_ROLE.fullmatch(text(action.body.get("RoleArn", "")))
        region = text(action.body.get("Region", stack.region))
        account = role[2] if role else stack.account
        lookup = f"{role[1]}lookup-role-{account}-{region}" if role else ""
        yield OrphanedStack(action.deploys, account, region, LookupRole(lookup) if lookup else None)
