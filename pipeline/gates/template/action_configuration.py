"""Compare the configuration of source and deploy actions, and of the pipeline itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pipeline.gates.template import assembly
from pipeline.gates.template.build_configuration import differences, facts
from pipeline.gates.template.rules import Violation
from pipeline.gates.template.template import canonical, text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.gates.template.rules import Change
    from pipeline.gates.template.stages import Action
    from pipeline.gates.template.template import Resource

_COMPARED_ELSEWHERE = {
    "ExecutionMode", "PipelineType", "RestartExecutionOnUpdate", "Stages", "Tags",
}  # fmt: skip
"""Properties of a pipeline that other rules compare, or that cannot stop a release."""


def changed(
    change: Change, old: Resource, new: Resource, was: list[Action], now: list[Action]
) -> Iterator[Violation]:
    """Yield actions and properties of the pipeline whose configuration would change."""
    for action in was:
        if action.provider != "CodeBuild":
            yield from _action(old, action, now)
    for key in sorted((old.properties.keys() | new.properties.keys()) - _COMPARED_ELSEWHERE):
        if canonical(old.properties.get(key)) != canonical(new.properties.get(key)):
            yield _violation(old, key, f"{key} of the pipeline would change")
    for action in now:
        yield from _template(change, old, action)


def _action(pipeline: Resource, was: Action, now: list[Action]) -> Iterator[Violation]:
    same = _counterpart(was, now)
    subject = f"{was.stage} {was.name}"
    if same is None:
        # PH711 reports orphaned stacks, and PH704 removed checks.
        if was.stage == "Source" or (was.deploys and was.deploys in {a.deploys for a in now}):
            yield _violation(
                pipeline, subject, f"action {was.name} of stage {was.stage} would be removed"
            )
        return
    before, after = facts(was), facts(same)
    if "Namespace" not in before:
        after.pop("Namespace", None)  # another action now reads its variables
    found = list(differences(before, after))
    if found:
        yield _violation(
            pipeline,
            f"{subject} {' '.join(found)}",
            f"{', '.join(found)} of action {was.name} in stage {was.stage} would change",
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


def _template(change: Change, pipeline: Resource, action: Action) -> Iterator[Violation]:
    """Yield a template that is not the stack's own, and a configuration with more than tags."""
    path = text(action.configuration.get("TemplatePath", "")).partition("::")[2]
    if action.provider != "CloudFormation" or not path:
        return
    folder = change.stack.file.parent
    if (action.deploys, path) not in _files(folder):
        yield _violation(
            pipeline,
            f"{action.stage} {action.name} TemplatePath",
            f"action {action.name} in stage {action.stage} would deploy {path} as "
            f"{action.deploys}, but the assembly's manifest names another template",
        )
    file = text(action.configuration.get("TemplateConfiguration", "")).partition("::")[2]
    if file and not _only_tags(folder / file):
        yield _violation(
            pipeline,
            f"{action.stage} {action.name} TemplateConfiguration",
            f"{file}, the template configuration of {action.deploys} in action {action.name}, is "
            "missing or contains more than tags",
        )


def _files(folder: Path) -> set[tuple[str, str]]:
    """Return the names of an assembly's stacks with the template files of its manifest."""
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


def _violation(pipeline: Resource, subject: str, what: str) -> Violation:
    return Violation(
        f"{pipeline.logical_id} {subject}",
        f"{what}; revert it, or waive this and name its reviewer",
    )
