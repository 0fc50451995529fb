"""Axes of a picture: ticks and their labels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


def ticks(low: float, high: float, most: int) -> list[float]:
    """Return round, evenly spaced numbers from at most `low` to at least `high`.

    `high` is above `low`. There are about `most` numbers; steps are 1, 2 or 5 times a power of ten.
    """
    least = (high - low) / (most - 1)
    power = 10.0 ** math.floor(math.log10(least))
    step = next((factor * power for factor in (1, 2, 5) if factor * power >= least), 10 * power)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def per_cent(value: float) -> str:
    """Format a share as per cent, such as 0.25 % or 12 %."""
    return f"{100 * value:.3g} %" if value else "0"


def clock(time: datetime) -> str:
    """Format a time as hours and minutes, and seconds if they are not zero."""
    return f"{time:%H:%M:%S}" if time.second else f"{time:%H:%M}"
