"""Compare the configuration of builds: projects, images, variables, inputs and buildspecs.

Commands are not compared here, but by PH704 and PH706.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from pipeline.builds import commands
from pipeline.builds.inputs import PROVED
from pipeline.gates.template.rules import Violation
from pipeline.gates.template.template import canonical, listed, mapping, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.gates.template.stages import Action
    from pipeline.gates.template.template import Resource

Facts = dict[str, str]
_CONFIG_HASH = "_PROJECT_CONFIG_HASH"
"""CDK's own variable, through which a changed build changes the pipeline."""
_IGNORED_PROJECT_PROPERTIES = {
    "Description", "LogsConfig", "QueuedTimeoutInMinutes", "Tags", "TimeoutInMinutes",
}  # fmt: skip
"""Properties of a project that no gate depends on: a build that takes too long fails."""
_COMPARED_ELSEWHERE = {"Configuration", "Name", "OutputArtifacts", "RunOrder"}
_ACTION_FACTS = {
    "Configuration PrimarySource", "EncryptionKey", "InputArtifacts", "Name", "RoleArn",
    "ServiceRole", "buildspec artifacts", "buildspec reports",
}  # fmt: skip
"""Facts that differ between two equivalent actions that run gates."""
_DIGEST = re.compile(r"[0-9a-f]{40,}")
_TREE = re.compile(r"\b[0-9a-f]{40}\b")
_INSTALL_COMMAND = re.compile(
    r"(python3 -m pipeline\.builds\.downloads packages requirements/)[\w-]+(\.txt)"
)


def changed(pipeline: Resource, was: list[Action], now: list[Action]) -> Iterator[Violation]:
    """Yield builds whose configuration would change, and gates that move to another build."""
    later = {(each.stage, each.name): each for each in now}
    for action in was:
        if action.provider != "CodeBuild":
            continue
        same = later.get((action.stage, action.name))
        if same:
            yield from _violation(
                pipeline, action, same, [*differences(facts(action), facts(same))]
            )
            yield from _shortened(pipeline, action, same)
        moved = set(_gates(action)) - set(_gates(same) if same else ())
        for other in now:
            if other is not same and moved & set(_gates(other)):
                yield from _violation(pipeline, action, other, [*_moved(action, other)])


def facts(action: Action) -> Facts:
    """Return the configuration of a build without its commands, as text by name."""
    return _action(action) | _project(action.project) | _buildspec(action)


def general(action: Action) -> Facts:
    """Return the facts that are the same for all actions that run gates."""
    return {key: value for key, value in facts(action).items() if key not in _ACTION_FACTS}


def differences(was: Facts, now: Facts) -> Iterator[str]:
    """Yield the names of facts that are new, removed or changed."""
    yield from sorted(key for key in was.keys() | now.keys() if was.get(key) != now.get(key))


def normalised(written: str) -> str:
    """Return a command with placeholders for its git trees and its group of packages."""
    found = _INSTALL_COMMAND.fullmatch(written)
    return f"{found[1]}GROUP{found[2]}" if found else _TREE.sub("TREE", written)


def trees(written: str) -> set[str]:
    """Return the git trees in a command."""
    return set(_TREE.findall(written))


def before_gates(action: Action) -> list[str]:
    """Return the commands before the last gate of a build that run no gate."""
    lines = action.lines()
    gates = [n for n, each in enumerate(lines) if commands.mentioned(each)]
    return [each for each in lines[: max(gates, default=0)] if not commands.run(each)]


def is_file(project: Resource | None) -> bool:
    """Return whether a project's buildspec is a file, of which the template has only the name."""
    written = _written(project)
    return project is not None and "\n" not in written and not written.lstrip().startswith("{")


def variables(stated: Any) -> Facts:
    """Return the variables of an action or of a project."""
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
    """Return the names of an action's input artifacts, with its primary source first."""
    stated = listed(action.body.get("InputArtifacts"))
    found = [text(mapping(each).get("Name", "")) for each in stated]
    first = text(action.configuration.get("PrimarySource", "")) or next(iter(found), "")
    return [first, *sorted(set(found) - {first})]


def _action(action: Action) -> Facts:
    found = {
        key: canonical(value)
        for key, value in action.body.items()
        if key not in _COMPARED_ELSEWHERE
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
        if key not in _IGNORED_PROJECT_PROPERTIES | {"Environment", "Source"}
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


def _shortened(pipeline: Resource, was: Action, now: Action) -> Iterator[Violation]:
    """Yield a violation if commands before gates would be removed or reordered."""
    before = [normalised(each) for each in before_gates(was)]
    kept = [each for each in map(normalised, before_gates(now)) if each in before]
    if _gates(now) and kept != before:
        removed = [each for each in before if each not in kept]
        what = (
            f"no longer run {', '.join(map(repr, removed))} before its gates"
            if removed
            else "run the commands before its gates in another order"
        )
        yield Violation(
            f"{pipeline.logical_id} {was.stage} {was.name} commands",
            f"action {was.name} in stage {was.stage} would {what}; revert it, or waive this and "
            "name its reviewer",
        )


def _violation(
    pipeline: Resource, was: Action, now: Action, found: list[str]
) -> Iterator[Violation]:
    if found:
        yield Violation(
            f"{pipeline.logical_id} {now.stage} {now.name} {' '.join(found)}",
            f"{', '.join(found)} of action {now.name} in stage {now.stage} would differ from the "
            f"present values of action {was.name}, on which its checks depend; revert it, or waive "
            "this and name its reviewer",
        )
