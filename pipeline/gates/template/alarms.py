"""Rules about alarms that a change would make weaker: they would fire later, or never."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from environments.schema import AllAtOnce, Canary, Judge, Linear
from pipeline.gates.template.rules import Rule, Violation
from pipeline.gates.template.template import canonical, listed, number, text
from pipeline.planning.policy import rails_threshold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.gates.template.rules import Change
    from pipeline.gates.template.template import Resource, Template

_ALARMS = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
_INPUT_PROPERTIES = (
    "MetricName", "Namespace", "Dimensions", "Statistic", "ExtendedStatistic", "Unit", "Period",
    "Metrics", "ThresholdMetricId", "AlarmRule", "EvaluateLowSampleCountPercentile",
    "ActionsSuppressor",
)  # fmt: skip
"""Properties that decide which data an alarm evaluates."""
_ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")
_SHIFT: TypeAdapter[AllAtOnce | Canary | Linear] = TypeAdapter(AllAtOnce | Canary | Linear)
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


def _weaker(change: Change) -> Iterator[Violation]:
    explained = _edited_limits(change)
    for alarm in change.deployed.of_type(*_ALARMS):
        now = counterpart(change, alarm)
        if now is None:
            yield Violation(
                alarm.logical_id,
                f"alarm {alarm.logical_id} would be removed; keep it, or waive this and name its "
                "reviewer",
            )
            continue
        weaker = list(_differences(change, alarm, now, explained))
        if weaker:
            yield Violation(
                f"{alarm.logical_id} {' '.join(key for key, _ in weaker)}",
                f"alarm {alarm.logical_id} would fire later, or on other data: "
                f"{'; '.join(what for _, what in weaker)}. Revert it, or waive this and name "
                "its reviewer",
            )


def counterpart(change: Change, alarm: Resource) -> Resource | None:
    """Return the new template's counterpart of a deployed alarm, by logical id or by name."""
    new = change.stack.template
    found = new.resources.get(alarm.logical_id)
    if found and found.type == alarm.type:
        return found
    name = _without_versions(change.deployed, alarm.properties.get("AlarmName"))
    return next(
        (
            each
            for each in new.of_type(alarm.type)
            if "AlarmName" in alarm.properties
            and _without_versions(new, each.properties.get("AlarmName")) == name
        ),
        None,
    )


def _differences(
    change: Change, was: Resource, now: Resource, explained: set[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """Yield each weaker property with a phrase that describes the change."""
    old, new = was.properties, now.properties
    if old.get("ActionsEnabled") is not False and new.get("ActionsEnabled") is False:
        yield "ActionsEnabled", "its actions are turned off"
    for key in _ACTIONS:
        if {canonical(each) for each in listed(old.get(key))} - {
            canonical(each) for each in listed(new.get(key))
        }:
            yield key, f"an action of {key} is removed"
    yield from _threshold(old, new, explained)
    yield from _periods(old, new)
    missing = [text(each.get("TreatMissingData", "missing")) for each in (old, new)]
    if missing[0] != missing[1] != "breaching":
        yield "TreatMissingData", f"TreatMissingData {missing[0]} becomes {missing[1]}"
    for key in _INPUT_PROPERTIES:
        before = _without_versions(change.deployed, old.get(key))
        after = _without_versions(change.stack.template, new.get(key))
        if before != after and not _explained(before, after, explained):
            yield key, f"{key} changes"


def _threshold(
    old: dict[str, Any], new: dict[str, Any], explained: set[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    operator = text(old.get("ComparisonOperator", ""))
    if text(new.get("ComparisonOperator", "")) != operator:
        yield "ComparisonOperator", f"ComparisonOperator {operator} changes"
        return
    was, now = number(old.get("Threshold")), number(new.get("Threshold"))
    if was is None or now is None:
        weaker = canonical(old.get("Threshold")) != canonical(new.get("Threshold"))
    else:
        # Operators of anomaly bands do not end in "Threshold" and have no single direction.
        further = now > was if operator.startswith("Greater") else now < was
        weaker = (further or not operator.endswith("Threshold")) and was != now
        weaker = weaker and (f"{was:g}", f"{now:g}") not in explained
    if weaker:
        shown = [text(each.get("Threshold", "nothing")) for each in (old, new)]
        yield "Threshold", f"Threshold {shown[0]} becomes {shown[1]}"


def _periods(old: dict[str, Any], new: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield a change of "M out of N" if data that fires the old alarm may not fire the new."""
    (bad, of), (new_bad, new_of) = _bad_of(old), _bad_of(new)
    if bad is None or of is None or new_bad is None or new_of is None:
        if canonical([old.get("EvaluationPeriods"), old.get("DatapointsToAlarm")]) != canonical(
            [new.get("EvaluationPeriods"), new.get("DatapointsToAlarm")]
        ):
            yield "EvaluationPeriods", "the required number of bad periods cannot be read"
        return
    # In N periods with M bad ones, some N' consecutive periods have at least this many bad ones.
    worst = bad if new_of >= of else math.ceil(bad / math.ceil(of / new_of))
    if new_bad > worst:
        yield (
            "EvaluationPeriods",
            f"{bad:g} bad of {of:g} periods become {new_bad:g} of {new_of:g}",
        )


def _bad_of(properties: dict[str, Any]) -> tuple[float | None, float | None]:
    of = number(properties.get("EvaluationPeriods", 1))
    stated = properties.get("DatapointsToAlarm")
    return (of if stated is None else number(stated)), of


def _explained(before: str, after: str, explained: set[tuple[str, str]]) -> bool:
    """Return whether only numbers differ, and each as a limit of an environment file (PH707)."""
    if _NUMBER.sub("#", before) != _NUMBER.sub("#", after):
        return False
    pairs = zip(_NUMBER.findall(before), _NUMBER.findall(after), strict=True)
    return all(
        (f"{float(was):g}", f"{float(now):g}") in explained for was, now in pairs if was != now
    )


def _edited_limits(change: Change) -> set[tuple[str, str]]:
    """Return the numbers of guard rails that an environment file changes, as (before, after)."""
    found = change.safeguards
    pairs = set()
    for file, now in (found.released if found else {}).items():
        was = ((found.deployed if found else None) or {}).get(file)
        if isinstance(was, dict) and isinstance(now, dict):
            thresholds = _threshold_of(was), _threshold_of(now)
            pairs |= {
                (f"{old:g}", f"{new:g}")
                for old, new in (*_guard_numbers(was, now), thresholds)
                if old is not None and new is not None and old != new
            }
    return pairs


def _guard_numbers(
    was: dict[str, Any], now: dict[str, Any]
) -> Iterator[tuple[float | None, float | None]]:
    before, after = was.get("guard"), now.get("guard")
    if isinstance(before, dict) and isinstance(after, dict):
        yield from ((number(before[key]), number(after.get(key))) for key in before)


def _threshold_of(document: dict[str, Any]) -> float | None:
    """Return the threshold of an environment's guard rails; None if its file is not valid here."""
    try:
        judge = Judge.model_validate(document["judge"]) if "judge" in document else None
        return rails_threshold(judge, _SHIFT.validate_python(document.get("shift")))
    except ValidationError:
        return None


def _without_versions(template: Template, value: Any) -> str:
    """Return a value as text in which all versions of a function have one placeholder."""
    written = canonical(value)
    for version in template.of_type("AWS::Lambda::Version"):
        written = written.replace(f'"{version.logical_id}"', '"VERSION"').replace(
            f"${{{version.logical_id}.", "${VERSION."
        )
    return written


RULES = (
    Rule(
        "PH702",
        "An alarm stops a bad release. An alarm that is removed, disabled, on other metrics or "
        'with an unreachable threshold stops none (CloudWatch, "Using alarms"; CodeDeploy, '
        '"Monitoring deployments with CloudWatch alarms").',
        _weaker,
    ),
)
