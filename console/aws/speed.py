"""Conversion of the cloud's durations and rates to this machine's clock.

On AWS the two clocks are the same. In a local cloud at speed 60, a minute of its clock lasts one
second of this machine's clock, and one request per second of its clock is 60 per second here.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from console.local import local_cloud
from console.words import duration
from environments.schema import AllAtOnce

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta
    from pathlib import Path

    from environments.schema import Environment


def announced_speed(states: Sequence[Path]) -> float:
    """Return the speed of the cloud that a command uses (see `connect`).

    A local cloud writes its speed to its state folder. The speed is 1 on AWS, and at an endpoint
    that is in none of these folders.
    """
    cloud = local_cloud.find(*states)
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    if cloud is None or (endpoint and endpoint != cloud.endpoint):
        return 1.0
    return cloud.speed


def duration_here(length: timedelta, speed: float) -> str:
    """Return a duration of the cloud on this machine's clock; "" if speed is 1."""
    if speed == 1:
        return ""
    return f"{duration(length.total_seconds() / speed)} here, at speed {speed:g}"


def rate_here(requests_per_second: float, speed: float) -> str:
    """Return a rate of the cloud on this machine's clock, as text; "" if speed is 1."""
    if speed == 1:
        return ""
    return f"{_rate(requests_per_second, speed)} a second here, at speed {speed:g}"


def environment_here(name: str, environment: Environment, speed: float) -> str:
    """Return an environment's bake and rates on this machine's clock; "" at speed 1."""
    if speed == 1:
        return ""
    parts = []
    if not isinstance(environment.shift, AllAtOnce):
        bake = duration(60 * environment.shift.bake_minutes / speed)
        parts.append(f"the bake of {environment.shift.bake_minutes} minutes lasts {bake} here")
    if environment.judge:
        expected = environment.judge.requests_per_second
        parts.append(
            f"the {expected:g} requests a second that the judge expects are "
            f"{_rate(expected, speed)} here"
        )
    throttle = environment.api.requests_per_second
    parts.append(f"the throttle of {throttle:g} requests a second is {_rate(throttle, speed)} here")
    return f"At speed {speed:g}, in {name}: {'; '.join(parts)}."


def _rate(requests_per_second: float, speed: float) -> str:
    return f"{round(requests_per_second * speed, 1):,.10g}"
