"""How a deployment configuration shifts traffic: pure, without a clock.

The rules are those of `TrafficRoutingConfig` in the CodeDeploy API reference, and of "Quotas" in
its user guide: 48 hours at most between the first and the last shift of a Lambda deployment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localcloud.core.ports import Document

MOST_MINUTES = 48 * 60
ALL_AT_ONCE = "CodeDeployDefault.LambdaAllAtOnce"


class TrafficRoutingError(ValueError):
    """A traffic routing configuration that shifts nothing sensible; the message says why."""


@dataclass(frozen=True)
class Step:
    """`percent` of the traffic on the target version from `after` seconds on."""

    after: float
    percent: int


def plan(routing: Document) -> tuple[Step, ...]:
    """The shifts of a `TrafficRoutingConfig` (API shape), the first at 0 seconds, the last to 100.

    Raises:
        TrafficRoutingError: see its message.
    """
    kind = routing.get("type")
    if kind == "AllAtOnce":
        return (Step(0.0, 100),)
    if kind == "TimeBasedCanary":
        percent, minutes = _measures(routing, "timeBasedCanary", "canary")
        return (Step(0.0, percent), _within(Step(60.0 * minutes, 100)))
    if kind == "TimeBasedLinear":
        percent, minutes = _measures(routing, "timeBasedLinear", "linear")
        shares = [*range(percent, 100, percent), 100]
        steps = tuple(Step(60.0 * minutes * n, share) for n, share in enumerate(shares))
        _within(steps[-1])
        return steps
    raise TrafficRoutingError(
        f"Traffic routing type {kind} is none of TimeBasedCanary, TimeBasedLinear and AllAtOnce"
    )


def _measures(routing: Document, part: str, prefix: str) -> tuple[int, int]:
    given = routing.get(part) or {}
    percent, minutes = given.get(f"{prefix}Percentage"), given.get(f"{prefix}Interval")
    if not isinstance(percent, int) or not 0 < percent < 100:  # noqa: PLR2004  # per cent
        raise TrafficRoutingError(f"{part}.{prefix}Percentage is {percent}; it must be 1 to 99")
    if not isinstance(minutes, int) or minutes < 1:
        raise TrafficRoutingError(
            f"{part}.{prefix}Interval is {minutes}; it must be a whole number of minutes from 1 on"
        )
    return percent, minutes


def _within(last: Step) -> Step:
    if last.after > 60 * MOST_MINUTES:
        raise TrafficRoutingError(
            f"The last shift would come {last.after / 60:g} minutes after the first; "
            f"at most {MOST_MINUTES} are allowed"
        )
    return last


def _canary(minutes: int) -> Document:
    return {
        "type": "TimeBasedCanary",
        "timeBasedCanary": {"canaryPercentage": 10, "canaryInterval": minutes},
    }


def _linear(minutes: int) -> Document:
    return {
        "type": "TimeBasedLinear",
        "timeBasedLinear": {"linearPercentage": 10, "linearInterval": minutes},
    }


BUILT_IN: dict[str, Document] = {
    ALL_AT_ONCE: {"type": "AllAtOnce"},
    "CodeDeployDefault.LambdaCanary10Percent5Minutes": _canary(5),
    "CodeDeployDefault.LambdaCanary10Percent10Minutes": _canary(10),
    "CodeDeployDefault.LambdaCanary10Percent15Minutes": _canary(15),
    "CodeDeployDefault.LambdaCanary10Percent30Minutes": _canary(30),
    "CodeDeployDefault.LambdaLinear10PercentEvery1Minute": _linear(1),
    "CodeDeployDefault.LambdaLinear10PercentEvery2Minutes": _linear(2),
    "CodeDeployDefault.LambdaLinear10PercentEvery3Minutes": _linear(3),
    "CodeDeployDefault.LambdaLinear10PercentEvery10Minutes": _linear(10),
}
"""The predefined configurations of the Lambda compute platform, by name."""
