"""What builds run in: their projects, images, variables, inputs and buildspecs.

Command lines are left out here: PH704 and PH706 compare those by what they do.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from pipeline.builds import commands
from pipeline.builds.inputs import PROVED
from pipeline.gates.template.rules import Fault
from pipeline.gates.template.template import canonical, listed, mapping, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.gates.template.stages import Action
    from pipeline.gates.template.template import Resource

Facts = dict[str, str]
_CONFIG_HASH = "_PROJECT_CONFIG_HASH"
"""CDK's own variable, by which a changed build changes the pipeline."""
_HOLDS_NOTHING = {
    "Description", "LogsConfig", "QueuedTimeoutInMinutes", "Tags", "TimeoutInMinutes",
}  # fmt: skip
"""Properties of a project that no verdict depends on: a build that takes too long fails."""
_COMPARED_APART = {"Configuration", "Name", "OutputArtifacts", "RunOrder"}
_OF_ONE_ACTION = {
    "Configuration PrimarySource", "EncryptionKey", "InputArtifacts", "Name", "RoleArn",
    "ServiceRole", "buildspec artifacts", "buildspec reports",
}  # fmt: skip
"""Facts that differ between two actions that run gates equally well."""
_DIGEST = re.compile(r"[0-9a-f]{40,}")
_TREE = re.compile(r"\b[0-9a-f]{40}\b")
_INSTALLS = re.compile(r"(python3 -m pipeline\.downloads packages requirements/)[\w-]+(\.txt)")


def changed(pipeline: Resource, was: list[Action], now: list[Action]) -> Iterator[Fault]:
    """Builds that run in something else than now, and gates that move to such a build."""
    later = {(each.stage, each.name): each for each in now}
    for action in was:
        if action.provider != "CodeBuild":
            continue
        same = later.get((action.stage, action.name))
        if same:
            yield from _fault(pipeline, action, same, [*differences(facts(action), facts(same))])
            yield from _shortened(pipeline, action, same)
        gone = set(_gates(action)) - set(_gates(same) if same else ())
        for other in now:
            if other is not same and gone & set(_gates(other)):
                yield from _fault(pipeline, action, other, [*_moved(action, other)])


def facts(action: Action) -> Facts:
    """All that a build is given but its command lines, each as text, by name."""
    return _action(action) | _project(action.project) | _buildspec(action)


def general(action: Action) -> Facts:
    """What builds that run gates have in common, whichever action they are of."""
    return {key: value for key, value in facts(action).items() if key not in _OF_ONE_ACTION}


def differences(was: Facts, now: Facts) -> Iterator[str]:
    """The names of what is new, gone or another."""
    yield from sorted(key for key in was.keys() | now.keys() if was.get(key) != now.get(key))


def line(written: str) -> str:
    """A command line without the git trees and the group of packages that it names."""
    found = _INSTALLS.fullmatch(written)
    return f"{found[1]}GROUP{found[2]}" if found else _TREE.sub("TREE", written)


def trees(written: str) -> set[str]:
    """The git trees that a command line names."""
    return set(_TREE.findall(written))


def in_front(action: Action) -> list[str]:
    """The command lines in front of the last gate of a build that run none."""
    lines = action.lines()
    gates = [n for n, each in enumerate(lines) if commands.mentioned(each)]
    return [each for each in lines[: max(gates, default=0)] if not commands.run(each)]


def is_file(project: Resource | None) -> bool:
    """Whether a project's buildspec is a file, of which only the name is deployed."""
    written = _written(project)
    return project is not None and "\n" not in written and not written.lstrip().startswith("{")


def variables(stated: Any) -> Facts:
    """The variables of an action, or of a project's environment."""
    try:
        found = json.loads(stated) if isinstance(stated, str) else stated
    except ValueError:
        found = stated
    if found is not None and not isinstance(found, list):
        return {"EnvironmentVariables": canonical(found)}
    given = [{key.lower(): value for key, value in mapping(each).items()} for each in listed(found)]
    return {
        text(each.get("name", "")): canonical([each.get("value"), each.get("type", "PLAINTEXT")])
        for each in given
        if each.get("name") not in (_CONFIG_HASH, PROVED)
    }


def inputs(action: Action) -> list[str]:
    """The names of an action's input artifacts, its primary source first."""
    stated = listed(action.body.get("InputArtifacts"))
    found = [text(mapping(each).get("Name", "")) for each in stated]
    first = text(action.configuration.get("PrimarySource", "")) or next(iter(found), "")
    return [first, *sorted(set(found) - {first})]


def _action(action: Action) -> Facts:
    found = {
        key: canonical(value) for key, value in action.body.items() if key not in _COMPARED_APART
    }
    found |= {
        f"Configuration {key}": text(value)
        for key, value in action.configuration.items()
        if key not in ("EnvironmentVariables", "ProjectName")
    }
    given = variables(action.configuration.get("EnvironmentVariables"))
    return found | {f"variable {key}": value for key, value in given.items()}


def _project(project: Resource | None) -> Facts:
    if project is None:
        return {}
    found = {
        key: canonical(value)
        for key, value in project.properties.items()
        if key not in _HOLDS_NOTHING | {"Environment", "Source"}
    }
    for key in ("Environment", "Source"):
        stated = mapping(project.properties.get(key))
        found |= {
            f"{key} {name}": canonical(value)
            for name, value in stated.items()
            if name not in ("BuildSpec", "EnvironmentVariables")
        }
    given = mapping(project.properties.get("Environment")).get("EnvironmentVariables")
    return found | {f"Environment {key}": value for key, value in variables(given).items()}


def _buildspec(action: Action) -> Facts:
    if is_file(action.project):
        return {"buildspec": _DIGEST.sub("DIGEST", _written(action.project))}
    found = {
        f"buildspec {key}": canonical(value)
        for key, value in action.spec.items()
        if key != "phases"
    }
    for phase, stated in mapping(action.spec.get("phases")).items():
        rest = {key: value for key, value in mapping(stated).items() if key != "commands"}
        if rest or not isinstance(stated, dict):
            found[f"buildspec {phase}"] = canonical(rest or stated)
    return found


def _written(project: Resource | None) -> str:
    return text(mapping(project.properties.get("Source")).get("BuildSpec", "")) if project else ""


def _gates(action: Action) -> list[str]:
    return [each for each in action.checks() if each.startswith("gate ")]


def _moved(was: Action, now: Action) -> Iterator[str]:
    yield from differences(general(was), general(now))
    (first, *others), (new_first, *new_others) = inputs(was), inputs(now)
    if first != new_first or set(others) - set(new_others):
        yield "InputArtifacts"


def _shortened(pipeline: Resource, was: Action, now: Action) -> Iterator[Fault]:
    """What was run in front of gates, and is not, or in another order."""
    before = [line(each) for each in in_front(was)]
    kept = [each for each in map(line, in_front(now)) if each in before]
    if _gates(now) and kept != before:
        gone = [each for each in before if each not in kept]
        yield Fault(
            f"{pipeline.logical_id} {was.stage} {was.name} commands",
            f"action {was.name} in stage {was.stage} would not run {', '.join(map(repr, gone))} "
            "any more before its gates"
            if gone
            else f"action {was.name} in stage {was.stage} would run the commands in front of its "
            "gates in another order; take it back, or waive this with who reviewed it",
        )


def _fault(pipeline: Resource, was: Action, now: Action, found: list[str]) -> Iterator[Fault]:
    if found:
        yield Fault(
            f"{pipeline.logical_id} {now.stage} {now.name} {' '.join(found)}",
            f"{', '.join(found)} of action {now.name} in stage {now.stage} would differ from what "
            f"action {was.name} has now, and the checks of {was.name} depend on it; take it back, "
            "or waive this with who reviewed it",
        )
