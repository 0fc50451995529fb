"""Evaluate an alarm's data points to a state; pure functions.

Sources in the CloudWatch user guide: "Evaluating an alarm", "Configuring how CloudWatch alarms
treat missing data", "Avoiding premature transitions to alarm state".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from localcloud.cloudwatch.model import moment, stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from localcloud.cloudwatch.model import StateValue

    Missing = Literal["missing", "ignore", "breaching", "notBreaching"]

_COMPARISONS: dict[str, tuple[str, Callable[[float, float], bool]]] = {
    "GreaterThanThreshold": ("greater than", lambda value, limit: value > limit),
    "GreaterThanOrEqualToThreshold": (
        "greater than or equal to",
        lambda value, limit: value >= limit,
    ),
    "LessThanThreshold": ("less than", lambda value, limit: value < limit),
    "LessThanOrEqualToThreshold": ("less than or equal to", lambda value, limit: value <= limit),
}
COMPARISONS = tuple(_COMPARISONS)
"""The comparison operators of static thresholds."""
_EXTRA_PERIODS = 2


@dataclass(frozen=True)
class Datapoint:
    """A metric's value in the period from `time`; `samples` is None if unknown."""

    time: int
    value: float
    samples: float | None = None


@dataclass(frozen=True)
class Rule:
    """M out of N: `to_alarm` of `periods` data points must breach the threshold."""

    comparison: str
    threshold: float
    periods: int
    to_alarm: int
    missing: Missing = "missing"
    statistic: str | None = None
    period: int = 60
    least_samples: float = 0.0
    """With fewer samples a percentile does not change the state
    (`EvaluateLowSampleCountPercentile`: ignore)."""

    @property
    def evaluation_range(self) -> int:
        """The number of periods to read, more than `periods` because some may be missing.

        AWS documents no rule; its example has 5 for 3 evaluation periods.
        """
        return self.periods + _EXTRA_PERIODS

    def breaches(self, point: Datapoint) -> bool:
        """Return whether a data point breaches the threshold."""
        return _COMPARISONS[self.comparison][1](point.value, self.threshold)


@dataclass(frozen=True)
class NewState:
    """An alarm's new state, with the reason in AWS's words."""

    value: StateValue
    reason: str
    data: str


def evaluate(rule: Rule, points: Sequence[Datapoint | None], now: float) -> NewState | None:
    """Return the state for an evaluation range, oldest first; None keeps the state.

    `now` is the cloud time for `queryDate` in the state's data.
    """
    real = [point for point in reversed(points) if point is not None][: rule.periods]
    if real and sum(point.samples or 0 for point in real) < rule.least_samples:
        return None
    filled = rule.periods - len(real)
    breaching = [point for point in real if rule.breaches(point)]
    counted = len(breaching) + (filled if rule.missing == "breaching" else 0)
    value: StateValue = "ALARM" if counted >= rule.to_alarm else "OK"
    undecided = filled and rule.missing in {"missing", "ignore"} and len(breaching) == len(real)
    if undecided and value == "OK":
        # All real data points breach, but they are too few for an alarm.
        if rule.missing == "ignore":
            return None
        value = "ALARM" if _old_enough(rule, points) else "INSUFFICIENT_DATA"
    return _new_state(rule, value, real, filled, now)


def _old_enough(rule: Rule, points: Sequence[Datapoint | None]) -> bool:
    """Return whether the oldest data point is at least `to_alarm` periods old."""
    ages = [age for age, point in enumerate(reversed(points), 1) if point is not None]
    return bool(ages) and max(ages) >= rule.to_alarm


def _new_state(
    rule: Rule, value: StateValue, real: list[Datapoint], filled: int, now: float
) -> NewState:
    return NewState(value, _reason(rule, value, real, filled), _data(rule, real, now))


def _reason(rule: Rule, value: StateValue, real: list[Datapoint], filled: int) -> str:
    if value == "INSUFFICIENT_DATA":
        return f"Insufficient Data: {_plural(filled, 'datapoint')} {_was(filled)} unknown."
    alarm = value == "ALARM"
    treated = ""
    if filled and rule.missing in {"breaching", "notBreaching"}:
        how = "Breaching" if rule.missing == "breaching" else "NonBreaching"
        treated = f"{_plural(filled, 'missing datapoint')} {_was(filled)} treated as [{how}]"
    if not real:
        return (
            f"Threshold Crossed: no datapoints were received for {_plural(rule.periods, 'period')} "
            f"and {treated}."
        )
    told = [point for point in real if rule.breaches(point) == alarm]
    listed = ", ".join(f"{point.value!r} ({_short(point.time)})" for point in told)
    threshold = f"{_COMPARISONS[rule.comparison][0]} the threshold ({rule.threshold!r})"
    if alarm:
        needed = f"minimum {_plural(rule.to_alarm, 'datapoint')} for OK -> ALARM transition"
        compared = threshold
    else:
        least = rule.periods - rule.to_alarm + 1
        needed = f"minimum {_plural(least, 'datapoint')} for ALARM -> OK transition"
        compared = f"not {threshold}"
    if not told:
        return f"Threshold Crossed: {treated} ({needed})."
    return (
        f"Threshold Crossed: {len(told)} out of the last {rule.periods} datapoints [{listed}] "
        f"{_was(len(told))} {compared}{' and ' + treated if treated else ''} ({needed})."
    )


def _data(rule: Rule, real: list[Datapoint], now: float) -> str:
    data: dict[str, object] = {"version": "1.0", "queryDate": stamp(now)}
    if real:
        data["startDate"] = stamp(real[-1].time)
    if rule.statistic:
        data["statistic"] = rule.statistic
    return json.dumps(
        data
        | {
            "period": rule.period,
            "recentDatapoints": [point.value for point in reversed(real)],
            "threshold": rule.threshold,
            "evaluatedDatapoints": [
                {"timestamp": stamp(point.time)}
                | ({} if point.samples is None else {"sampleCount": point.samples})
                | {"value": point.value}
                for point in real
            ],
        },
        separators=(",", ":"),
    )


def _plural(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _was(count: int) -> str:
    return "was" if count == 1 else "were"


def _short(time: int) -> str:
    return moment(time).strftime("%d/%m/%y %H:%M:%S")
