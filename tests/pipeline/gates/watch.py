"""A fake of `pipeline.gates.lambda_throttles.Watch`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.gates.lambda_throttles import Throttles

if TYPE_CHECKING:
    from pipeline.gates.lambda_throttles import Watch

LIMIT = 'Lambda\'s quota "Concurrent executions" of account 3 is 10'
STEP = "run `aws service-quotas request-service-quota-increase`"


class FakeWatch:
    """A `Watch` with given throttles by alias."""

    def __init__(self, **by_alias: int) -> None:
        self.by_alias = by_alias
        self.asked: list[int] = []

    def throttles(self, expected: int) -> Throttles:
        """See `Watch`; `asked` records each `expected`."""
        self.asked.append(expected)
        return Throttles(self.by_alias, LIMIT, STEP)


if TYPE_CHECKING:
    _WATCH: type[Watch] = FakeWatch
