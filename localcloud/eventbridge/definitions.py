"""Create rules and schedules from parameters, with AWS's checks."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from localcloud.eventbridge import inputs, patterns, targets
from localcloud.eventbridge.expressions import ExpressionError, parse
from localcloud.eventbridge.model import Rule, Schedule

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_TARGETS = 5
_MAX_WINDOW_MINUTES = 1440  # minutes


class DefinitionError(ValueError):
    """AWS would reject the definition; `code` is AWS's error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def rule(
    account: str, region: str, wanted: Mapping[str, Any], now: float, before: Rule | None
) -> Rule:
    """Return a rule from parameters of `PutRule`; an existing rule keeps its targets.

    Raises:
        DefinitionError: the rule is invalid, or not part of the local cloud.
    """
    name = wanted["Name"]
    bus(wanted.get("EventBusName"))
    _named(name, 64)
    schedule, pattern = wanted.get("ScheduleExpression") or "", wanted.get("EventPattern") or ""
    state = wanted.get("State") or "ENABLED"
    if state not in {"ENABLED", "DISABLED"}:
        raise DefinitionError(
            "ValidationException", f"State {state} is not part of the local cloud"
        )
    if not schedule and not pattern:
        raise DefinitionError(
            "ValidationException",
            "Parameter(s) EventPattern or ScheduleExpression must be specified.",
        )
    if schedule:
        try:
            parse(schedule)
        except ExpressionError as error:
            raise DefinitionError(
                "ValidationException", f"Parameter ScheduleExpression is not valid: {error}."
            ) from error
    if pattern:
        event_pattern(pattern)
    return Rule(
        account=account,
        region=region,
        name=name,
        # A rate counts from the moment the rule was created or changed.
        created=before.created if before and before.schedule == schedule else now,
        state=state,
        description=wanted.get("Description") or "",
        schedule=schedule,
        pattern=pattern,
        role_arn=wanted.get("RoleArn") or "",
        targets=before.targets if before else [],
    )


def event_pattern(text: str) -> dict[str, Any]:
    """Parse an event pattern.

    Raises:
        DefinitionError: the pattern is invalid.
    """
    try:
        return patterns.parse(text)
    except patterns.PatternError as error:
        raise DefinitionError(
            "InvalidEventPatternException", f"Event pattern is not valid. Reason: {error}"
        ) from error


def with_targets(before: Rule, given: list[dict[str, Any]]) -> Rule:
    """Return the rule with these targets; each replaces the target with its id.

    Raises:
        DefinitionError: a target is invalid, or not part of the local cloud.
    """
    by_id = {each["Id"]: each for each in before.targets}
    for target in given:
        try:
            targets.check(target)
            inputs.check(target)
        except ValueError as error:
            raise DefinitionError("ValidationException", str(error)) from error
        by_id[target["Id"]] = dict(target)
    if len(by_id) > _MAX_TARGETS:
        raise DefinitionError(
            "LimitExceededException", "The requested resource exceeds the maximum number allowed."
        )
    return replace(before, targets=list(by_id.values()))


def bus(name: str | None) -> None:
    """Check that an event bus is the default bus.

    Raises:
        DefinitionError: it is another bus.
    """
    if name not in {None, "", "default"} and not str(name).endswith(":event-bus/default"):
        raise DefinitionError(
            "ResourceNotFoundException",
            f"Event bus {name} does not exist: the local cloud has only the default bus.",
        )


def schedule(
    account: str, region: str, wanted: Mapping[str, Any], now: float, before: Schedule | None
) -> Schedule:
    """Return a schedule from parameters of `CreateSchedule`; dates are cloud seconds.

    Raises:
        DefinitionError: the schedule is invalid, or not part of the local cloud.
    """
    _named(wanted["Name"], 64)
    if (wanted.get("GroupName") or "default") != "default":
        raise DefinitionError(
            "ResourceNotFoundException",
            f"Schedule group {wanted['GroupName']} does not exist: the local cloud has only the "
            "default group.",
        )
    if wanted.get("KmsKeyArn"):
        raise DefinitionError("ValidationException", "KmsKeyArn is not part of the local cloud")
    text = wanted["ScheduleExpression"]
    zone = wanted.get("ScheduleExpressionTimezone") or "UTC"
    try:
        parse(text, 0.0, ZoneInfo(zone))
    except (ZoneInfoNotFoundError, IsADirectoryError) as error:
        raise DefinitionError(
            "ValidationException", f"{zone} is not a valid ScheduleExpressionTimezone."
        ) from error
    except ValueError as error:
        raise DefinitionError(
            "ValidationException", f"Invalid Schedule Expression {text}: {error}."
        ) from error
    target = {name: value for name, value in wanted["Target"].items() if value is not None}
    try:
        targets.check(target, scheduler=True)
    except ValueError as error:
        raise DefinitionError("ValidationException", str(error)) from error
    return Schedule(
        account=account,
        region=region,
        name=wanted["Name"],
        created=before.created if before else now,
        modified=now,
        expression=text,
        target=target,
        window=_window(wanted["FlexibleTimeWindow"]),
        zone=zone,
        state=wanted.get("State") or "ENABLED",
        description=wanted.get("Description") or "",
        start=wanted.get("StartDate"),
        end=wanted.get("EndDate"),
        after_completion=wanted.get("ActionAfterCompletion") or "NONE",
    )


def _window(wanted: Mapping[str, Any]) -> dict[str, Any]:
    if wanted["Mode"] == "OFF":
        return {"Mode": "OFF"}
    minutes = int(wanted.get("MaximumWindowInMinutes") or 0)
    if not 1 <= minutes <= _MAX_WINDOW_MINUTES:
        raise DefinitionError(
            "ValidationException",
            "MaximumWindowInMinutes of a FLEXIBLE FlexibleTimeWindow must be 1 to 1440.",
        )
    return {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": minutes}


def _named(name: str, most: int) -> None:
    if not re.fullmatch(rf"[.\-_A-Za-z0-9]{{1,{most}}}", name):
        raise DefinitionError(
            "ValidationException",
            f"Value '{name}' at 'name' failed to satisfy constraint: Member must satisfy regular "
            "expression pattern: [\\.\\-_A-Za-z0-9]+",
        )
