"""The type of command-line options that are durations, such as 30s, 10m, 2h or 7d."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECONDS: Mapping[str, int] = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Duration(click.ParamType[timedelta]):
    """A whole number above 0 and a unit (s, m, h, d); at most `maximum`, if given."""

    name = "duration"

    def __init__(self, maximum: timedelta | None = None) -> None:
        self._maximum = maximum

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """See `click.ParamType.convert`."""
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"([0-9]{1,6})([smhd])", str(value))
        if found is None or int(found[1]) == 0:
            self.fail(
                f"found {value!r}; allowed are durations such as 30s, 10m, 2h or 1d", param, ctx
            )
        duration = timedelta(seconds=int(found[1]) * _SECONDS[found[2]])
        if self._maximum is not None and duration > self._maximum:
            self.fail(f"found {value!r}; allowed is at most {self._maximum.days}d", param, ctx)
        return duration
