"""Rule about additions to a pipeline: new actions, and new commands in builds that run gates."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from pipeline.builds import commands
from pipeline.gates.template.build_configuration import (
    before_gates,
    general,
    is_file,
    normalised,
    trees,
)
from pipeline.gates.template.rules import Rule, Violation
from pipeline.gates.template.stages import actions, pairs
from pipeline.gates.template.template import mapping, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.gates.template.rules import Change
    from pipeline.gates.template.stages import Action

_PUBLISHING_COMMAND = re.compile(
    r'cdk-assets --path "[\w./-]+" --verbose publish "[\w.:-]+"|npm install -g cdk-assets@[\d.]+'
    # Credentials of a private registry, whose address the template defines.
    r"|npm config set --location=user '//[\w.:/-]+/:_authToken=\$\{NPM_TOKEN\}'"
    r"|token=\$\(aws codeartifact get-authorization-token --domain [a-z0-9-]+ --domain-owner \d+"
    r' --query authorizationToken --output text\)|export NPM_TOKEN="\$token"'
)
"""Matches the commands of the build that publishes assets; CDK writes its buildspec to a file."""


def _new(change: Change) -> Iterator[Violation]:
    """Yield additions that could change what gates check, or what is deployed after them."""
    for old, new in pairs(change):
        if new is None:
            continue
        was = actions(change.deployed, old, None)
        now = actions(change.stack.template, new, change.stack.file.parent)
        earlier = {(each.stage, each.name): each for each in was}
        known = {normalised(each) for action in was for each in action.lines()}
        for action in now:
            before = earlier.get((action.stage, action.name))
            lines = {normalised(each) for each in before.lines()} if before else known
            yield from _lines(action, lines)
            for each in action.lines():
                yield from _foreign(change, action, each)
            if before is None and not _is_known(action, was, known):
                yield from _action(action, was, now)
            if is_file(action.project) and not _publishes(action):
                yield Violation(
                    f"{action.stage} {action.name} buildspec",
                    f"the buildspec of action {action.name} in stage {action.stage} is a file, and "
                    "does more than publish assets; move it into the template, where it can be "
                    "compared, or waive this and name its reviewer",
                )


def _lines(action: Action, known: set[str]) -> Iterator[Violation]:
    """Yield new commands of a build that runs gates, with which they share a file system."""
    lines = action.lines()
    if not any(commands.mentioned(each) for each in lines):
        return
    earlier = before_gates(action)
    last = max(n for n, each in enumerate(lines) if commands.mentioned(each))
    for each in [*earlier, *lines[last + 1 :]]:
        if normalised(each) not in known:
            where = "before" if each in earlier else "after"
            yield Violation(
                f"{action.stage} {action.name} {each}",
                f"action {action.name} in stage {action.stage} would run the new command {each!r} "
                f"{where} a gate; revert it, or waive this and name who reviewed that it does not "
                "affect the gate",
                "error" if each in earlier else "warning",
            )


def _is_known(action: Action, was: list[Action], known: set[str]) -> bool:
    """Return whether a new action is an approval, or only runs gates as deployed builds do."""
    if text(mapping(action.body.get("ActionTypeId")).get("Category", "")) == "Approval":
        return True
    lines = action.lines()
    return (
        any(commands.run(each) for each in lines)
        and all(commands.run(each) or normalised(each) in known for each in lines)
        and general(action) in [general(each) for each in was]
    )


def _action(action: Action, was: list[Action], now: list[Action]) -> Iterator[Violation]:
    severity = _severity(action, was, now)
    if severity:
        yield Violation(
            f"{action.stage} {action.name}",
            f"action {action.name} in stage {action.stage} is new and runs its own commands, or "
            "with its own role, before a deployment; "
            + (
                "move it into a stage that deploys nothing, next to its gates, or waive this and "
                "name its reviewer"
                if severity == "error"
                else "review its permissions"
            ),
            severity,
        )


def _severity(
    action: Action, was: list[Action], now: list[Action]
) -> Literal["error", "warning"] | None:
    """Return `error` before the self-mutation, and between the last gates and a deployment."""
    mutations = [each.place for each in now if each.deploys and each.provider == "CodeBuild"]
    if not mutations or action.place <= max(mutations):
        return "error"
    stacks = {each.deploys for each in was if each.provider == "CloudFormation"}
    deployed = [e.place for e in now if e.provider == "CloudFormation" and e.deploys in stacks]
    if any(place[0] == action.place[0] and action.place <= place for place in deployed):
        return "error"
    return "warning" if any(action.place <= place for place in deployed) else None


def _publishes(action: Action) -> bool:
    phases = [mapping(each) for each in mapping(action.spec.get("phases")).values()]
    return (
        bool(action.lines())
        and all(_PUBLISHING_COMMAND.fullmatch(each) for each in action.lines())
        and action.spec.keys() <= {"version", "phases", "cache"}
        and all(each.keys() <= {"commands", "runtime-versions"} for each in phases)
    )


def _foreign(change: Change, action: Action, written: str) -> Iterator[Violation]:
    """Yield git trees that the next comparison would run and that are not of this commit."""
    own = change.safeguards.trees if change.safeguards else None
    foreign = sorted(trees(written) - own) if own is not None else []
    if foreign:
        yield Violation(
            f"{action.stage} {action.name} {' '.join(foreign)}",
            f"action {action.name} in stage {action.stage} would run the git trees "
            f"{', '.join(foreign)}, which are not in this commit; synthesise the assembly from "
            "this checkout",
        )


RULES = (
    Rule(
        "PH706",
        "All commands of a build share one shell and one file system: a command before a gate can "
        "replace the gate's tools, and a new action can replace what is deployed after it "
        '(CodeBuild, "Build specification reference": version 0.2).',
        _new,
    ),
)
