"""Rules about the pipeline: its checks, their order, and the conditions of its stages."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from pipeline.builds import commands
from pipeline.gates.template import action_configuration, build_configuration
from pipeline.gates.template.rules import Rule, Violation
from pipeline.gates.template.stages import actions, pairs, stages
from pipeline.gates.template.template import canonical, listed, mapping, number, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.gates.template.rules import Change
    from pipeline.gates.template.stages import Action, Place
    from pipeline.gates.template.template import Resource

_CONDITIONS = ("BeforeEntry", "OnSuccess", "OnFailure")
_RESULT_RANK = {"FAIL": 1, "RETRY": 1, "ROLLBACK": 2, "SKIP": 0}
"""Order of the results of a condition by how strictly they stop a release."""


def _checks(change: Change) -> Iterator[Violation]:
    for old, new in pairs(change):
        if new is None:
            yield _violation(
                old.logical_id,
                "the pipeline",
                f"pipeline {old.logical_id} would be removed",
                gate=False,
            )
            continue
        was = actions(change.deployed, old, None)
        now = actions(change.stack.template, new, change.stack.file.parent)
        places = _places(now)
        for check, earliest in _places(was).items():
            yield from _moved(old, check, _before(was, min(earliest)), places.get(check), now)
        yield from build_configuration.changed(old, was, now)
        yield from action_configuration.changed(change, old, new, was, now)


def _places(found: list[Action]) -> dict[str, list[Place]]:
    places: dict[str, list[Place]] = defaultdict(list)
    for action in found:
        for check in action.checks():
            places[check].append(action.place)
    return places


def _before(found: list[Action], place: Place) -> set[str]:
    """Return the stacks that are deployed only after a place."""
    first = _first(found)
    return {stack for stack, where in first.items() if place < where}


def _first(found: list[Action]) -> dict[str, Place]:
    """Return the first place at which each stack is prepared or deployed."""
    first: dict[str, Place] = {}
    for action in found:
        if action.deploys:
            first[action.deploys] = min(action.place, first.get(action.deploys, action.place))
    return first


def _moved(
    pipeline: Resource,
    check: str,
    guarded: set[str],
    places: list[Place] | None,
    now: list[Action],
) -> Iterator[Violation]:
    if places is None:
        named = check.removeprefix("gate ").split(" ")[0] if check.startswith("gate ") else ""
        swallowed = named and any(
            named in commands.mentioned(line) for each in now for line in each.lines()
        )
        what = (
            "would have other arguments, or might no longer fail its build"
            if swallowed
            else "would be removed"
        )
        yield _violation(pipeline.logical_id, check, f"{check} {what}", gate=bool(named))
        return
    first = _first(now)
    late = sorted(each for each in guarded if each in first and first[each] <= min(places))
    if late:
        yield _violation(
            pipeline.logical_id,
            f"{check} before {', '.join(late)}",
            f"{check} would run only after {', '.join(late)} is deployed",
            gate=False,
        )


def _violation(pipeline: str, subject: str, what: str, *, gate: bool) -> Violation:
    how = "run it as now" if gate else "revert it"
    return Violation(f"{pipeline} {subject}", f"{what}; {how}, or waive this and name its reviewer")


def _conditions(change: Change) -> Iterator[Violation]:
    for old, new in pairs(change):
        if new is None:
            continue
        later = {text(each.get("Name", "")): each for each in stages(new)}
        yield from _skipping(old, new)
        for stage in stages(old):
            name = text(stage.get("Name", ""))
            for what in _weaker_conditions(stage, later.get(name, {})):
                yield _violation(old.logical_id, f"{name} {what[0]}", what[1], gate=False)
        yield from _properties(old, new)


def _skipping(old: Resource, new: Resource) -> Iterator[Violation]:
    """Yield new conditions that skip a stage and its gates."""
    known = {each for stage in stages(old) for each in _skips(stage)}
    for stage in stages(new):
        for name, when, condition in _skips(stage):
            if (name, when, condition) not in known:
                yield _violation(
                    old.logical_id,
                    f"{name} {when} SKIP",
                    f"a new condition ({when}) would skip stage {name}",
                    gate=False,
                )


def _skips(stage: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    name = text(stage.get("Name", ""))
    for when in _CONDITIONS:
        for condition in listed(mapping(stage.get(when)).get("Conditions")):
            if text(mapping(condition).get("Result", "")) == "SKIP":
                yield name, when, canonical(condition)


def _weaker_conditions(was: dict[str, Any], now: dict[str, Any]) -> Iterator[tuple[str, str]]:
    stage = text(was.get("Name", ""))
    for when in _CONDITIONS:
        old, new = _rules(was.get(when)), _rules(now.get(when))
        for key, (result, rule) in old.items():
            subject = f"{when} {key}"
            if key not in new:
                yield subject, f"condition {key} ({when}) of stage {stage} would be removed"
                continue
            other_result, other = new[key]
            if _RESULT_RANK.get(other_result, 0) < _RESULT_RANK.get(result, 0):
                yield subject, f"{when} of stage {stage} would end in {other_result}, not {result}"
            elif _looser(rule, other):
                yield subject, f"condition {key} ({when}) of stage {stage} would check less"
        stated = text(mapping(was.get(when)).get("Result", ""))
        then = text(mapping(now.get(when)).get("Result", ""))
        if stated and _RESULT_RANK.get(then, 0) < _RESULT_RANK.get(stated, 0):
            yield f"{when} Result", f"{when} of stage {stage} would no longer end in {stated}"


def _rules(stated: Any) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return the rules of a stage's conditions by what they evaluate, with their results."""
    found = {}
    for condition in map(mapping, listed(mapping(stated).get("Conditions"))):
        for rule in map(mapping, listed(condition.get("Rules"))):
            provider = text(mapping(rule.get("RuleTypeId")).get("Provider", ""))
            configuration = mapping(rule.get("Configuration"))
            alarm = text(configuration.get("AlarmName", "")) or text(rule.get("Name", ""))
            found[f"{provider} {alarm}"] = (text(condition.get("Result", "FAIL")), rule)
    return found


def _looser(was: dict[str, Any], now: dict[str, Any]) -> bool:
    old, new = mapping(was.get("Configuration")), mapping(now.get("Configuration"))
    waited, waits = (number(each.get("WaitTime")) for each in (old, new))
    if waited is not None and (waits is None or waits < waited):
        return True
    states, left = (set(text(each.get("AlarmStates", "")).split(",")) for each in (old, new))
    if states - left:
        return True
    apart = {"WaitTime", "AlarmStates"}
    rest, others = (
        {key: value for key, value in each.items() if key not in apart} for each in (old, new)
    )
    places = [canonical([each.get("Region"), each.get("Commands")]) for each in (was, now)]
    return canonical(rest) != canonical(others) or places[0] != places[1]


def _properties(old: Resource, new: Resource) -> Iterator[Violation]:
    for key, kept in (("RestartExecutionOnUpdate", True), ("PipelineType", "V2")):
        if old.properties.get(key) == kept != new.properties.get(key):
            yield _violation(
                old.logical_id, key, f"{key} of the pipeline would no longer be {kept}", gate=False
            )
    mode = "ExecutionMode"
    was, now = (text(each.properties.get(mode, "SUPERSEDED")) for each in (old, new))
    if was != now:
        yield _violation(old.logical_id, mode, f"{mode} {was} would become {now}", gate=False)


RULES = (
    Rule(
        "PH704",
        "A pipeline changes itself before its gates run, so a gate that a commit removes, moves or "
        "disables does not check that commit (CDK Pipelines, self-mutation; CodeBuild, "
        '"Build specification reference": on-failure).',
        _checks,
    ),
    Rule(
        "PH705",
        "The conditions of a stage roll a release back after its deployment (CodePipeline, "
        '"How do stage conditions work?").',
        _conditions,
    ),
)
