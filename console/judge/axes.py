"""The axes of a picture: where the ticks are, and how they are written."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers evenly apart, the first at most `low`, the last at least `high` (> `low`).

    About `most` of them: steps are 1, 2 or 5 times a power of ten.
    """
    least = (high - low) / (most - 1)
    power = 10.0 ** math.floor(math.log10(least))
    step = next((factor * power for factor in (1, 2, 5) if factor * power >= least), 10 * power)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def per_cent(value: float) -> str:
    """Such as 0.25 % or 12 %."""
    return f"{100 * value:.3g} %" if value else "0"


def clock(time: datetime) -> str:
    """Hours and minutes; seconds where they are not zero."""
    return f"{time:%H:%M:%S}" if time.second else f"{time:%H:%M}"
