"""A fake of `pipeline.gates.throttling.Watch`."""

from __future__ import annotations

from pipeline.gates.throttling import Throttles

LIMIT = 'Lambda\'s quota "Concurrent executions" of account 3 is 10'
STEP = "run `aws service-quotas request-service-quota-increase`"


class FakeWatch:
    """A `Watch` of which a test says what Lambda has throttled, by alias."""

    def __init__(self, **by_alias: int) -> None:
        self.by_alias = by_alias
        self.asked: list[int] = []

    def throttles(self, expected: int) -> Throttles:
        """See `Watch`; `asked` keeps what was expected."""
        self.asked.append(expected)
        return Throttles(self.by_alias, LIMIT, STEP)
