"""The traffic shifts of a deployment configuration; pure functions.

Sources: `TrafficRoutingConfig` in the CodeDeploy API reference; "Quotas" in the user guide, by
which at most 48 hours are between the first and the last shift of a Lambda deployment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localcloud.core.ports import Document

MAX_MINUTES = 48 * 60
ALL_AT_ONCE = "CodeDeployDefault.LambdaAllAtOnce"


class TrafficRoutingError(ValueError):
    """A traffic routing configuration is invalid."""


@dataclass(frozen=True)
class Step:
    """A shift: `percent` of the traffic on the target version, `after` seconds."""

    after: float
    percent: int


def plan(routing: Document) -> tuple[Step, ...]:
    """Return the shifts of a `TrafficRoutingConfig` (API shape).

    The first shift is at 0 seconds, the last one is to 100 per cent.

    Raises:
        TrafficRoutingError: the configuration is invalid.
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
        f"Traffic routing type {kind} is unknown; use TimeBasedCanary, TimeBasedLinear or AllAtOnce"
    )


def _measures(routing: Document, part: str, prefix: str) -> tuple[int, int]:
    given = routing.get(part) or {}
    percent, minutes = given.get(f"{prefix}Percentage"), given.get(f"{prefix}Interval")
    if not isinstance(percent, int) or not 0 < percent < 100:  # noqa: PLR2004  # per cent
        raise TrafficRoutingError(f"{part}.{prefix}Percentage is {percent}; it must be 1 to 99")
    if not isinstance(minutes, int) or minutes < 1:
        raise TrafficRoutingError(
            f"{part}.{prefix}Interval is {minutes}; it must be whole minutes, at least 1"
        )
    return percent, minutes


def _within(last: Step) -> Step:
    if last.after > 60 * MAX_MINUTES:
        raise TrafficRoutingError(
            f"The last shift is {last.after / 60:g} minutes after the first; "
            f"at most {MAX_MINUTES} are allowed"
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
