"""Rules about the alarms that stop a traffic shift, and the metrics that they evaluate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.gates.template.rules import Rule, Violation
from pipeline.gates.template.shifts import metrics, queries, shifts
from pipeline.gates.template.template import listed, mapping, number, references, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.gates.template.assembly import Stack
    from pipeline.gates.template.template import Resource, Template

_ALIAS_NAMESPACES = {"AWS/Lambda", "AWS/ApiGateway"}
"""Namespaces whose metrics count all versions together, except with Lambda's `ExecutedVersion`."""
_CRASH_METRICS = {("AWS/Lambda", "Errors"), ("AWS/Lambda", "Invocations")}
"""Metrics that count crashed invocations, and all invocations."""


def _diluted(stack: Stack) -> Iterator[Violation]:
    for shift in shifts(stack.template):
        whole = [
            alarm
            for alarm in shift.alarms
            if any(each.namespace in _ALIAS_NAMESPACES for each in metrics(alarm))
            and not _evaluates_version(stack.template, alarm)
        ]
        for alarm in whole:
            yield Violation(
                alarm.logical_id,
                f"alarm {alarm.logical_id} guards the shift of {shift.alias.logical_id} and counts "
                "the old and the new version together, which dilutes the failures of the new one; "
                "evaluate the new version alone (ExecutedVersion)",
            )
        if (
            shift.alarms
            and not whole
            and not any(_evaluates_version(stack.template, alarm) for alarm in shift.alarms)
        ):
            yield Violation(
                shift.group.logical_id,
                f"no alarm of {shift.group.logical_id} evaluates the new version alone; add the "
                "version as a dimension to one of them",
            )


def _evaluates_version(template: Template, alarm: Resource) -> bool:
    return any(
        "version" in name.lower() or template.referenced(value, "AWS::Lambda::Version")
        for metric in metrics(alarm)
        for name, value in metric.dimensions.items()
    )


def _late(stack: Stack) -> Iterator[Violation]:
    for shift in shifts(stack.template):
        for alarm in shift.alarms:
            seconds = _seconds(alarm)
            if seconds and seconds >= shift.minutes * 60:
                yield Violation(
                    alarm.logical_id,
                    f"alarm {alarm.logical_id} needs {seconds / 60:g} minutes to fire, and the "
                    f"shift of {shift.alias.logical_id} takes {shift.minutes:g}; use shorter "
                    "periods, or a longer shift",
                )


def _seconds(alarm: Resource) -> float | None:
    """Return the shortest time in seconds after which an alarm can fire."""
    given = [alarm.properties.get("Period")]
    for query in map(mapping, queries(alarm)):
        given += [query.get("Period"), mapping(query.get("MetricStat")).get("Period")]
    periods = [each for each in map(number, given) if each]
    datapoints = alarm.properties.get("DatapointsToAlarm") or alarm.properties.get(
        "EvaluationPeriods"
    )
    return max(periods) * (number(datapoints) or 1) if periods else None


def _silent(stack: Stack) -> Iterator[Violation]:
    for shift in shifts(stack.template):
        for alarm in shift.alarms:
            given = text(alarm.properties.get("TreatMissingData", "nothing"))
            if given in {"nothing", "missing", "ignore"}:
                yield Violation(
                    alarm.logical_id,
                    f"alarm {alarm.logical_id} treats missing data as {given}, and may stay in "
                    "ALARM on old data; set TreatMissingData to notBreaching if missing data is "
                    "no fault, or to breaching if it is one",
                )


def _unguarded(stack: Stack) -> Iterator[Violation]:
    for shift in shifts(stack.template):
        alarms = mapping(shift.group.properties.get("AlarmConfiguration"))
        rollback = mapping(shift.group.properties.get("AutoRollbackConfiguration"))
        events = {text(each) for each in listed(rollback.get("Events"))}
        stops = rollback.get("Enabled") is not False and "DEPLOYMENT_STOP_ON_ALARM" in events
        faults = {
            "has no alarm": not listed(alarms.get("Alarms")),
            "has its alarms turned off": alarms.get("Enabled") is False,
            "continues if its alarms cannot be read": alarms.get("IgnorePollAlarmFailure") is True,
            "does not roll back on an alarm": not stops,
        }
        found = [fault for fault, there in faults.items() if there]
        if found:
            yield Violation(
                shift.group.logical_id,
                f"{shift.group.logical_id} shifts {shift.alias.logical_id} and "
                f"{' and '.join(found)}; name alarms, and roll back on DEPLOYMENT_STOP_ON_ALARM",
            )


def _blind(stack: Stack) -> Iterator[Violation]:
    for shift in shifts(stack.template):
        seen = {(m.namespace, m.name) for alarm in shift.alarms for m in metrics(alarm)}
        if seen and seen <= _CRASH_METRICS and _answers_requests(stack.template, shift.alias):
            yield Violation(
                shift.group.logical_id,
                f"every alarm of {shift.group.logical_id} evaluates only Lambda's Errors, which do "
                "not count responses with status 500; count failed responses, too",
            )


def _answers_requests(template: Template, alias: Resource) -> bool:
    asks = ("apigateway.amazonaws.com", "elasticloadbalancing.amazonaws.com")
    return any(
        text(each.properties.get("Principal", "")) in asks
        and alias.logical_id in references(each.properties.get("FunctionName"))
        for each in template.of_type("AWS::Lambda::Permission")
    )


RULES = (
    Rule(
        "PH301",
        "A metric of the whole alias dilutes a canary: 5 % failures in 10 % of the traffic are "
        '0.5 %. Lambda\'s dimension ExecutedVersion is the version that ran (Lambda, "Metrics").',
        _diluted,
    ),
    Rule(
        "PH302",
        "CDK's default period of an alarm is five minutes, and LambdaCanary10Percent5Minutes takes "
        "no longer: the alarm fires after the shift.",
        _late,
    ),
    Rule(
        "PH303",
        "An alarm without new data keeps its state or evaluates old data (CloudWatch, "
        '"Configuring how alarms treat missing data"), and CodeDeploy starts no deployment while '
        "an alarm is in ALARM, not even of the fix (serverless-application-model#716, #293).",
        _silent,
    ),
    Rule(
        "PH304",
        "Without alarms CDK rolls back on DEPLOYMENT_FAILURE only, and a Lambda shift rarely fails "
        "by itself (aws-cdk#27884).",
        _unguarded,
    ),
    Rule(
        "PH305",
        "The adapter of a framework (Mangum, serverless-express) answers an unhandled exception "
        "with an ordinary 500: the invocation succeeds, and Errors does not count it.",
        _blind,
    ),
)
