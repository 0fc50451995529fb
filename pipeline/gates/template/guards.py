"""Rules about what stops a bad release: the alarms of a traffic shift, and what they look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.gates.template.rules import Fault, Rule
from pipeline.gates.template.shifts import metrics, queries, shifts
from pipeline.gates.template.template import listed, mapping, number, references, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.gates.template.assembly import Stack
    from pipeline.gates.template.template import Resource, Template

_OF_AN_ALIAS = {"AWS/Lambda", "AWS/ApiGateway"}
"""Namespaces whose metrics count all versions together, but for Lambda's `ExecutedVersion`."""
_CRASHES = {("AWS/Lambda", "Errors"), ("AWS/Lambda", "Invocations")}
"""What Lambda counts of a function that broke, and of all that it may be a share of."""


def _diluted(stack: Stack) -> Iterator[Fault]:
    for shift in shifts(stack.template):
        whole = [
            alarm
            for alarm in shift.alarms
            if any(each.namespace in _OF_AN_ALIAS for each in metrics(alarm))
            and not _looks_at_a_version(stack.template, alarm)
        ]
        for alarm in whole:
            yield Fault(
                alarm.logical_id,
                f"alarm {alarm.logical_id} guards the shift of {shift.alias.logical_id} and sees "
                "old and new version together: a bad share is diluted by the good traffic; look "
                "at the new version alone (ExecutedVersion)",
            )
        if (
            shift.alarms
            and not whole
            and not any(_looks_at_a_version(stack.template, alarm) for alarm in shift.alarms)
        ):
            yield Fault(
                shift.group.logical_id,
                f"no alarm of {shift.group.logical_id} looks at the new version alone; give one "
                "of them the version as a dimension",
            )


def _looks_at_a_version(template: Template, alarm: Resource) -> bool:
    return any(
        "version" in name.lower() or template.referenced(value, "AWS::Lambda::Version")
        for metric in metrics(alarm)
        for name, value in metric.dimensions.items()
    )


def _late(stack: Stack) -> Iterator[Fault]:
    for shift in shifts(stack.template):
        for alarm in shift.alarms:
            seconds = _seconds(alarm)
            if seconds and seconds >= shift.minutes * 60:
                yield Fault(
                    alarm.logical_id,
                    f"alarm {alarm.logical_id} needs {seconds / 60:g} minutes to speak, and the "
                    f"shift of {shift.alias.logical_id} is over in {shift.minutes:g}; look at "
                    "shorter periods, or shift for longer",
                )


def _seconds(alarm: Resource) -> float | None:
    """How much must be bad, at least, before an alarm says so."""
    given = [alarm.properties.get("Period")]
    for query in map(mapping, queries(alarm)):
        given += [query.get("Period"), mapping(query.get("MetricStat")).get("Period")]
    periods = [each for each in map(number, given) if each]
    datapoints = alarm.properties.get("DatapointsToAlarm") or alarm.properties.get(
        "EvaluationPeriods"
    )
    return max(periods) * (number(datapoints) or 1) if periods else None


def _silent(stack: Stack) -> Iterator[Fault]:
    for shift in shifts(stack.template):
        for alarm in shift.alarms:
            given = text(alarm.properties.get("TreatMissingData", "nothing"))
            if given in {"nothing", "missing", "ignore"}:
                yield Fault(
                    alarm.logical_id,
                    f"alarm {alarm.logical_id} says {given} about missing data, and may stay red "
                    "on old ones; say notBreaching where silence is no evidence, or breaching "
                    "where it is a fault",
                )


def _unguarded(stack: Stack) -> Iterator[Fault]:
    for shift in shifts(stack.template):
        alarms = mapping(shift.group.properties.get("AlarmConfiguration"))
        rollback = mapping(shift.group.properties.get("AutoRollbackConfiguration"))
        events = {text(each) for each in listed(rollback.get("Events"))}
        stops = rollback.get("Enabled") is not False and "DEPLOYMENT_STOP_ON_ALARM" in events
        faults = {
            "has no alarm": not listed(alarms.get("Alarms")),
            "has its alarms turned off": alarms.get("Enabled") is False,
            "goes on while its alarms cannot be read": alarms.get("IgnorePollAlarmFailure") is True,
            "does not roll back on an alarm": not stops,
        }
        found = [fault for fault, there in faults.items() if there]
        if found:
            yield Fault(
                shift.group.logical_id,
                f"{shift.group.logical_id} shifts {shift.alias.logical_id} and "
                f"{' and '.join(found)}; name alarms, and roll back on DEPLOYMENT_STOP_ON_ALARM",
            )


def _blind(stack: Stack) -> Iterator[Fault]:
    for shift in shifts(stack.template):
        seen = {(m.namespace, m.name) for alarm in shift.alarms for m in metrics(alarm)}
        if seen and seen <= _CRASHES and _answers_requests(stack.template, shift.alias):
            yield Fault(
                shift.group.logical_id,
                f"every alarm of {shift.group.logical_id} counts Lambda's Errors alone, and a "
                "request that is answered with 500 is none; count failed responses too",
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
        "A metric of the whole alias dilutes a canary: 5 % of failures at 10 % of the traffic are "
        '0.5 %. Lambda names the version that ran as ExecutedVersion (Lambda, "Metrics").',
        _diluted,
    ),
    Rule(
        "PH302",
        "CDK's own alarms look at five minutes, which is all of LambdaCanary10Percent5Minutes: "
        "the alarm speaks when the shift is over.",
        _late,
    ),
    Rule(
        "PH303",
        "An alarm without new data keeps to old ones or to its last state (CloudWatch, "
        '"Configuring how alarms treat missing data"), and CodeDeploy begins no deployment under '
        "a red alarm, not even of the fix (serverless-application-model#716, #293).",
        _silent,
    ),
    Rule(
        "PH304",
        "Without alarms CDK rolls back on DEPLOYMENT_FAILURE alone, and a Lambda shift hardly "
        "ever fails by itself (aws-cdk#27884).",
        _unguarded,
    ),
    Rule(
        "PH305",
        "A framework's adapter (Mangum, serverless-express) answers an unhandled exception with an "
        "ordinary 500: the invocation has succeeded, and Errors does not see it.",
        _blind,
    ),
)
