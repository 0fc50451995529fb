"""Conversion of the cloud's durations and rates to this machine's clock.

On AWS both are the same. In a local cloud at speed 60, 60 seconds pass in one second of this
machine's clock: a minute of bake lasts one second here, and one request per second is 60 here.
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
    """Return the speed of the cloud that a command speaks to (`console.aws.account.connect`).

    A local cloud announces its speed in its state folder. It is 1 on AWS, and at an endpoint
    that none of these folders announces.
    """
    running = local_cloud.find(*states)
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    if running is None or (endpoint and endpoint != running.endpoint):
        return 1.0
    return running.speed


def here(length: timedelta, speed: float) -> str:
    """Say how long a duration of the cloud takes here; empty if it takes the same."""
    if speed == 1:
        return ""
    return f"{duration(length.total_seconds() / speed)} here, at speed {speed:g}"


def rate_here(requests_per_second: float, speed: float) -> str:
    """Say how many requests in a second here a rate of the cloud's is; empty if as many."""
    if speed == 1:
        return ""
    return f"{_rate(requests_per_second, speed)} in a second here, at speed {speed:g}"


def environment_here(name: str, environment: Environment, speed: float) -> str:
    """Say what an environment file's minutes and requests per second are here; empty if equal."""
    if speed == 1:
        return ""
    said = [f"its throttle of {environment.api.requests_per_second:g} requests a second is "
            f"{_rate(environment.api.requests_per_second, speed)} here"]  # fmt: skip
    if environment.judge:
        expected = environment.judge.requests_per_second
        said.insert(0, f"the {expected:g} requests a second that its judge expects are "
                    f"{_rate(expected, speed)} here")  # fmt: skip
    if not isinstance(environment.shift, AllAtOnce):
        bake = duration(60 * environment.shift.bake_minutes / speed)
        said.insert(0, f"a bake of {environment.shift.bake_minutes} minutes lasts {bake} here")
    return f"At speed {speed:g}, in {name}: {'; '.join(said)}."


def _rate(requests_per_second: float, speed: float) -> str:
    return f"{round(requests_per_second * speed, 1):,.10g}"
