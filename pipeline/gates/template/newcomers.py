"""What is new in a pipeline: command lines of builds that run gates, and actions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from pipeline.builds import commands
from pipeline.gates.template.rules import Fault, Rule
from pipeline.gates.template.stages import actions, pairs
from pipeline.gates.template.surroundings import general, in_front, is_file, line, trees
from pipeline.gates.template.template import mapping, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.gates.template.rules import Change
    from pipeline.gates.template.stages import Action

_PUBLISHES = re.compile(
    r'cdk-assets --path "[\w./-]+" --verbose publish "[\w.:-]+"|npm install -g cdk-assets@[\d.]+'
    # Credentials of a private registry, whose address is a variable of the template.
    r"|npm config set --location=user '//[\w.:/-]+/:_authToken=\$\{NPM_TOKEN\}'"
    r"|token=\$\(aws codeartifact get-authorization-token --domain [a-z0-9-]+ --domain-owner \d+"
    r' --query authorizationToken --output text\)|export NPM_TOKEN="\$token"'
)
"""The command lines of the build that publishes assets; CDK writes its buildspec to a file."""


def _new(change: Change) -> Iterator[Fault]:
    """Whatever may change what gates see, or what is deployed behind them."""
    for old, new in pairs(change):
        if new is None:
            continue
        was = actions(change.deployed, old, None)
        now = actions(change.stack.template, new, change.stack.file.parent)
        earlier = {(each.stage, each.name): each for each in was}
        known = {line(each) for action in was for each in action.lines()}
        for action in now:
            before = earlier.get((action.stage, action.name))
            lines = {line(each) for each in before.lines()} if before else known
            yield from _lines(action, lines)
            for each in action.lines():
                yield from _foreign(change, action, each)
            if before is None and not _is_known(action, was, known):
                yield from _action(action, was, now)
            if is_file(action.project) and not _publishes(action):
                yield Fault(
                    f"{action.stage} {action.name} buildspec",
                    f"the buildspec of action {action.name} in stage {action.stage} is a file, and "
                    "does more than publish assets; write it into the template, so that it is "
                    "compared, or waive this with who reviewed it",
                )


def _lines(action: Action, known: set[str]) -> Iterator[Fault]:
    """New lines of a build that runs gates: they share its file system and environment."""
    lines = action.lines()
    if not any(commands.mentioned(each) for each in lines):
        return
    front = in_front(action)
    last = max(n for n, each in enumerate(lines) if commands.mentioned(each))
    for each in [*front, *lines[last + 1 :]]:
        if line(each) not in known:
            where = "in front of" if each in front else "behind"
            yield Fault(
                f"{action.stage} {action.name} {each}",
                f"action {action.name} in stage {action.stage} newly runs {each!r} {where} a gate; "
                "take it back, or waive this with who reviewed that the gate sees what it saw",
                "error" if each in front else "warning",
            )


def _is_known(action: Action, was: list[Action], known: set[str]) -> bool:
    """Whether a new action waits for a person, or only runs gates as deployed builds do."""
    if text(mapping(action.body.get("ActionTypeId")).get("Category", "")) == "Approval":
        return True
    lines = action.lines()
    return (
        any(commands.run(each) for each in lines)
        and all(commands.run(each) or line(each) in known for each in lines)
        and general(action) in [general(each) for each in was]
    )


def _action(action: Action, was: list[Action], now: list[Action]) -> Iterator[Fault]:
    severity = _severity(action, was, now)
    if severity:
        yield Fault(
            f"{action.stage} {action.name}",
            f"action {action.name} in stage {action.stage} is new and has commands or a role of "
            "its own in front of what is deployed; "
            + (
                "move it beside the gates of a stage that deploys nothing, or waive this with who "
                "reviewed it"
                if severity == "error"
                else "review what it may do"
            ),
            severity,
        )


def _severity(
    action: Action, was: list[Action], now: list[Action]
) -> Literal["error", "warning"] | None:
    """An error before the pipeline changes itself, and between the last gates and a deployment."""
    itself = [each.place for each in now if each.deploys and each.provider == "CodeBuild"]
    if not itself or action.place <= max(itself):
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
        and all(_PUBLISHES.fullmatch(each) for each in action.lines())
        and action.spec.keys() <= {"version", "phases", "cache"}
        and all(each.keys() <= {"commands", "runtime-versions"} for each in phases)
    )


def _foreign(change: Change, action: Action, written: str) -> Iterator[Fault]:
    """Trees that the next comparison would run and that are not this commit's own."""
    own = change.safeguards.trees if change.safeguards else None
    foreign = sorted(trees(written) - own) if own is not None else []
    if foreign:
        yield Fault(
            f"{action.stage} {action.name} {' '.join(foreign)}",
            f"action {action.name} in stage {action.stage} would run the git trees "
            f"{', '.join(foreign)}, which are none of this commit's; synthesise the assembly from "
            "this checkout",
        )


RULES = (
    Rule(
        "PH706",
        "All commands of a build share one shell and one file system: one in front of a gate may "
        "replace its tools, and a new action may replace what is deployed behind it (CodeBuild, "
        '"Build specification reference": version 0.2).',
        _new,
    ),
)
