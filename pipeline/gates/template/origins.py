"""What releases are made from and deployed from: sources, templates, roles, parameters."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pipeline.gates.template import assembly
from pipeline.gates.template.rules import Fault
from pipeline.gates.template.surroundings import differences, facts
from pipeline.gates.template.template import canonical, text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.gates.template.rules import Change
    from pipeline.gates.template.stages import Action
    from pipeline.gates.template.template import Resource

_COMPARED_APART = {
    "ExecutionMode", "PipelineType", "RestartExecutionOnUpdate", "Stages", "Tags",
}  # fmt: skip
"""Properties of a pipeline that other rules compare, or that hold nothing back."""


def changed(
    change: Change, old: Resource, new: Resource, was: list[Action], now: list[Action]
) -> Iterator[Fault]:
    """Actions and the pipeline itself, where they take something else than now."""
    for action in was:
        if action.provider != "CodeBuild":
            yield from _action(old, action, now)
    for key in sorted((old.properties.keys() | new.properties.keys()) - _COMPARED_APART):
        if canonical(old.properties.get(key)) != canonical(new.properties.get(key)):
            yield _fault(old, key, f"{key} of the pipeline would be another")
    for action in now:
        yield from _template(change, old, action)


def _action(pipeline: Resource, was: Action, now: list[Action]) -> Iterator[Fault]:
    same = _counterpart(was, now)
    subject = f"{was.stage} {was.name}"
    if same is None:
        # A stack that is left behind is PH711, and a check that is gone a fault of its own.
        if was.stage == "Source" or (was.deploys and was.deploys in {a.deploys for a in now}):
            yield _fault(pipeline, subject, f"action {was.name} of stage {was.stage} is gone")
        return
    before, after = facts(was), facts(same)
    if "Namespace" not in before:
        after.pop("Namespace", None)  # newly read by somebody
    found = list(differences(before, after))
    if found:
        yield _fault(
            pipeline,
            f"{subject} {' '.join(found)}",
            f"{', '.join(found)} of action {was.name} in stage {was.stage} would be another",
        )


def _counterpart(was: Action, now: list[Action]) -> Action | None:
    same = [each for each in now if (each.stage, each.name) == (was.stage, was.name)]
    key = (was.deploys, was.configuration.get("ActionMode"))
    alike = [
        each
        for each in now
        if was.deploys and (each.deploys, each.configuration.get("ActionMode")) == key
    ]
    return next(iter([*same, *alike]), None)


def _template(change: Change, pipeline: Resource, action: Action) -> Iterator[Fault]:
    """A template that is none of the stack's, or parameters beside it."""
    path = text(action.configuration.get("TemplatePath", "")).partition("::")[2]
    if action.provider != "CloudFormation" or not path:
        return
    folder = change.stack.file.parent
    if (action.deploys, path) not in _files(folder):
        yield _fault(
            pipeline,
            f"{action.stage} {action.name} TemplatePath",
            f"action {action.name} in stage {action.stage} would deploy {path} as "
            f"{action.deploys}, and the assembly's manifest names another template",
        )
    beside = text(action.configuration.get("TemplateConfiguration", "")).partition("::")[2]
    if beside and not _only_tags(folder / beside):
        yield _fault(
            pipeline,
            f"{action.stage} {action.name} TemplateConfiguration",
            f"{beside}, with which action {action.name} deploys {action.deploys}, is missing or "
            "has more than tags",
        )


def _files(folder: Path) -> set[tuple[str, str]]:
    """The stacks of an assembly, each with the template that the manifest names."""
    try:
        stacks = assembly.read(folder)
    except assembly.AssemblyError:
        return set()
    return {
        (each.name, each.file.relative_to(folder).as_posix())
        for each in stacks
        if each.parent is None
    }


def _only_tags(file: Path) -> bool:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.keys() <= {"Tags"}


def _fault(pipeline: Resource, subject: str, what: str) -> Fault:
    return Fault(
        f"{pipeline.logical_id} {subject}",
        f"{what}; take it back, or waive this with who reviewed it",
    )
