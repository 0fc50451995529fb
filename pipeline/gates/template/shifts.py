"""Read the traffic shifts of a template, and the alarms that guard them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pipeline.gates.template.template import listed, mapping, number, references, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.gates.template.template import Resource, Template

_PREDEFINED = re.compile(
    r"(?:CodeDeployDefault\.)?Lambda"
    r"(?:Canary(?P<canary>\d+)Percent(?P<after>\d+)Minutes?"
    r"|Linear(?P<linear>\d+)PercentEvery(?P<every>\d+)Minutes?)"
)


@dataclass(frozen=True)
class Shift:
    """A deployment group that moves an alias step by step."""

    group: Resource
    alias: Resource
    minutes: float
    """Time from the first share of traffic to all of it."""
    alarms: tuple[Resource, ...]
    """Alarms of this template, with the members of composite alarms."""


@dataclass(frozen=True)
class Strategy:
    """The share of traffic of each step in per cent, and the minutes between two steps."""

    kind: Literal["all-at-once", "canary", "linear"]
    percent: float | None = None
    minutes: float | None = None


def shifts(template: Template) -> Iterator[Shift]:
    """Yield the shifts of a template, without those that move all traffic at once."""
    for alias in template.of_type("AWS::Lambda::Alias"):
        update = mapping(mapping(alias.body.get("UpdatePolicy")).get("CodeDeployLambdaAliasUpdate"))
        group = template.referenced(
            update.get("DeploymentGroupName"), "AWS::CodeDeploy::DeploymentGroup"
        )
        minutes = _minutes(template, group) if group else None
        if group and minutes:
            yield Shift(group, alias, minutes, tuple(_alarms(template, group)))


def strategy(template: Template, group: Resource) -> Strategy:
    """Return how a deployment group moves traffic; values that the template lacks are None."""
    named = group.properties.get("DeploymentConfigName")
    config = template.referenced(named, "AWS::CodeDeploy::DeploymentConfig")
    if config:
        routing = mapping(config.properties.get("TrafficRoutingConfig"))
        canary, linear = (
            mapping(routing.get(each)) for each in ("TimeBasedCanary", "TimeBasedLinear")
        )
        if canary:
            percent, minutes = canary.get("CanaryPercentage"), canary.get("CanaryInterval")
            return Strategy("canary", number(percent), number(minutes))
        if linear:
            percent, minutes = linear.get("LinearPercentage"), linear.get("LinearInterval")
            return Strategy("linear", number(percent), number(minutes))
        return Strategy("all-at-once")
    found = _PREDEFINED.search(text(named))
    if not found:
        return Strategy("all-at-once")
    if found["after"]:
        return Strategy("canary", float(found["canary"]), float(found["after"]))
    return Strategy("linear", float(found["linear"]), float(found["every"]))


def _minutes(template: Template, group: Resource) -> float | None:
    """Return the time from the first share of traffic to all of it."""
    found = strategy(template, group)
    if found.kind == "canary":
        return found.minutes
    return _linear(found.percent, found.minutes) if found.percent and found.minutes else None


def _linear(percent: float, every: float) -> float:
    return (math.ceil(100 / percent) - 1) * every


def _alarms(template: Template, group: Resource) -> Iterator[Resource]:
    stated = mapping(group.properties.get("AlarmConfiguration")).get("Alarms")
    named = {text(mapping(each).get("Name", "")) for each in listed(stated)}
    left, seen = _called(template, named), set[str]()
    while left:
        alarm = left.pop()
        if alarm.logical_id in seen:
            continue
        seen.add(alarm.logical_id)
        if alarm.type == "AWS::CloudWatch::Alarm":
            yield alarm
        else:
            rule = alarm.properties.get("AlarmRule")
            names = {f"${{{each}}}" for each in references(rule)}
            left += _called(template, names | set(re.findall(r'"([^"]+)"', text(rule))))


def _called(template: Template, names: set[str]) -> list[Resource]:
    """Return the alarms with these references or names."""
    return [
        each
        for each in template.of_type("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
        if {f"${{{each.logical_id}}}", text(each.properties.get("AlarmName", ""))} & names
    ]


@dataclass(frozen=True)
class Metric:
    """A metric that an alarm evaluates, alone or in an expression."""

    namespace: str
    name: str
    dimensions: dict[str, Any]


def metrics(alarm: Resource) -> list[Metric]:
    """Return the metrics that an alarm evaluates."""
    stats = [mapping(mapping(each).get("MetricStat")) for each in queries(alarm)]
    found = [alarm.properties, *(mapping(each.get("Metric")) for each in stats)]
    return [
        Metric(
            text(each["Namespace"]),
            text(each.get("MetricName", "")),
            {
                text(dimension.get("Name", "")): dimension.get("Value")
                for dimension in map(mapping, listed(each.get("Dimensions")))
            },
        )
        for each in found
        if "Namespace" in each
    ]


def queries(alarm: Resource) -> list[Any]:
    """Return the metrics and expressions of an alarm with several."""
    return listed(alarm.properties.get("Metrics"))
