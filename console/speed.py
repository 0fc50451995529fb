"""What the cloud's time is on this machine's clock.

On AWS both are the same. A local cloud at speed 60 lets 60 of its seconds pass in one of this
machine's: its minutes of bake are a second here, and its requests per second 60 times as many.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from console import local_cloud
from console.words import duration

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta
    from pathlib import Path


def announced_speed(states: Sequence[Path]) -> float:
    """Return the speed of the cloud that this process's AWS clients call.

    A local cloud announces its speed in its state folder. It is 1 on AWS, and at an endpoint
    that none of these folders announces.
    """
    running = local_cloud.find(*states)
    if running is None or running.endpoint != os.environ.get("AWS_ENDPOINT_URL"):
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
    return f"{round(requests_per_second * speed, 1):,.10g} in a second here, at speed {speed:g}"
