"""Rules about traffic shifts that a change would make less careful."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.gates.template import functions
from pipeline.gates.template.alarms import counterpart
from pipeline.gates.template.rules import Rule, Violation
from pipeline.gates.template.shifts import Strategy, strategy
from pipeline.gates.template.template import canonical, listed, mapping, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.gates.template.rules import Change
    from pipeline.gates.template.template import Resource, Template

_RULE_PROPERTIES = ("EventBusName", "EventPattern", "ScheduleExpression", "Targets")
_HOOKS = ("BeforeAllowTrafficHook", "AfterAllowTrafficHook")


def _weaker(change: Change) -> Iterator[Violation]:
    for alias in change.deployed.of_type("AWS::Lambda::Alias"):
        was = _update(alias)
        if not was:
            continue
        now = _same_alias(change, alias)
        if now is None or not _update(now):
            what = "alias" if now is None else "update policy"
            yield _violation(
                alias, what, f"its {what} would be removed, so that all traffic moves at once"
            )
            continue
        for what, sentence in _differences(change, was, _update(now)):
            yield _violation(alias, what, sentence)
    for schedule in change.deployed.of_type("AWS::Events::Rule"):
        later = change.stack.template.resources.get(schedule.logical_id)
        if _enabled(schedule) and not (later and _enabled(later)):
            yield Violation(
                f"{schedule.logical_id} State",
                f"schedule {schedule.logical_id} would be removed or disabled, so that its target "
                "no longer runs; keep it, or waive this and name its reviewer",
            )
        for key in _RULE_PROPERTIES:
            if later and canonical(schedule.properties.get(key)) != canonical(
                later.properties.get(key)
            ):
                yield Violation(
                    f"{schedule.logical_id} {key}",
                    f"{key} of schedule {schedule.logical_id} would change, and with it its target "
                    "or its times; revert it, or waive this and name its reviewer",
                )
    yield from functions.changed(change)


def _violation(alias: Resource, what: str, sentence: str) -> Violation:
    return Violation(
        f"{alias.logical_id} {what}",
        f"releases of {alias.logical_id} would be less careful: {sentence}; revert it, or waive "
        "this and name its reviewer",
    )


def _differences(
    change: Change, was: dict[str, Any], now: dict[str, Any]
) -> Iterator[tuple[str, str]]:
    for hook in _HOOKS:
        if hook in was and canonical(was[hook]) != canonical(now.get(hook)):
            yield hook, f"its hook {hook} would change or be removed"
    old = _group(change.deployed, was)
    new = _group(change.stack.template, now)
    if old is None:
        return
    if new is None:
        yield "DeploymentGroupName", "its deployment group is not in this template"
        return
    yield from _slower(strategy(change.deployed, old), strategy(change.stack.template, new))
    yield from _guards(change, old, new)


def _slower(was: Strategy, now: Strategy) -> Iterator[tuple[str, str]]:
    if was.kind == "all-at-once" or was == now:
        return
    if now.kind != was.kind:
        yield "shift", f"its shift was {was.kind} and would be {now.kind}"
        return
    if now.percent is None or was.percent is None or now.percent > was.percent:
        yield "percent", f"its first share is {was.percent} % and would be {now.percent} %"
    if now.minutes is None or was.minutes is None or now.minutes < was.minutes:
        yield "minutes", f"its interval is {was.minutes} minutes and would be {now.minutes}"


def _guards(change: Change, old: Resource, new: Resource) -> Iterator[tuple[str, str]]:
    events, left = (
        {text(each) for each in listed(_rollback(each).get("Events"))} for each in (old, new)
    )
    if _on(_rollback(old)) and (events - left or not _on(_rollback(new))):
        yield (
            "AutoRollbackConfiguration",
            "it would no longer roll back on " + ", ".join(sorted(events - left) or ["anything"]),
        )
    was, now = _alarms(old), _alarms(new)
    if _on(was) and not _on(now):
        yield "AlarmConfiguration", "its alarms would be turned off"
    if now.get("IgnorePollAlarmFailure") is True and was.get("IgnorePollAlarmFailure") is not True:
        yield "IgnorePollAlarmFailure", "it would continue if its alarms cannot be read"
    attached = {text(mapping(each).get("Name", "")) for each in listed(now.get("Alarms"))}
    for each in listed(was.get("Alarms")):
        name = mapping(each).get("Name")
        alarm = change.deployed.referenced(name, "AWS::CloudWatch::Alarm")
        kept = counterpart(change, alarm) if alarm else None
        if alarm is None and text(name) not in attached:
            yield f"alarm {text(name)}", f"alarm {text(name)} would no longer guard it"
        elif kept and not {f"${{{kept.logical_id}}}", _name(kept)} & attached:
            yield f"alarm {kept.logical_id}", f"alarm {kept.logical_id} would no longer guard it"


def _name(alarm: Resource) -> str:
    return text(alarm.properties.get("AlarmName", ""))


def _update(alias: Resource) -> dict[str, Any]:
    policy = mapping(alias.body.get("UpdatePolicy"))
    return mapping(policy.get("CodeDeployLambdaAliasUpdate"))


def _same_alias(change: Change, alias: Resource) -> Resource | None:
    new = change.stack.template
    found = new.resources.get(alias.logical_id)
    if found and found.type == alias.type:
        return found
    name = text(alias.properties.get("Name", ""))
    named = [each for each in new.of_type(alias.type) if text(each.properties.get("Name")) == name]
    return named[0] if len(named) == 1 else None


def _group(template: Template, update: dict[str, Any]) -> Resource | None:
    return template.referenced(
        update.get("DeploymentGroupName"), "AWS::CodeDeploy::DeploymentGroup"
    )


def _rollback(group: Resource) -> dict[str, Any]:
    return mapping(group.properties.get("AutoRollbackConfiguration"))


def _alarms(group: Resource) -> dict[str, Any]:
    return mapping(group.properties.get("AlarmConfiguration"))


def _on(configuration: dict[str, Any]) -> bool:
    return bool(configuration) and configuration.get("Enabled") is not False


def _enabled(schedule: Resource) -> bool:
    return text(schedule.properties.get("State", "ENABLED")) != "DISABLED"


RULES = (
    Rule(
        "PH703",
        "A shift without a canary, hooks, alarms or rollback exposes every customer to untested "
        "code, and so does a judge that is called differently, or a layer that answers in place "
        'of the code (CloudFormation, "UpdatePolicy: CodeDeployLambdaAliasUpdate"; '
        'CodeDeploy, "Redeploy and roll back a deployment"; Lambda, "Modifying the runtime '
        'environment").',
        _weaker,
    ),
)
