"""Requests of the load that AWS throttled: they are neither slow nor failures of a release."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.gates.load.limits import FAILURES, THROUGHPUT
from pipeline.gates.load.measured import NOT_INVOKED, RATE_LIMITED
from pipeline.gates.throttling import could_not_measure, rate_limit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from environments.schema import Environment
    from pipeline.gates.findings import Finding
    from pipeline.gates.gate import CouldNotRunError
    from pipeline.gates.load.measured import Measured
    from pipeline.gates.throttling import Throttles, Watch


_EXPLAINED = frozenset({FAILURES, THROUGHPUT})
"""Rules of findings that throttling explains: it leaves fewer good answers, and makes none late."""


@dataclass(frozen=True)
class _Side:
    """What one alias answered in all runs."""

    requests: int
    failed: int
    """Answers with an error, throttled ones included."""
    rate_limited: int
    not_invoked: int

    @classmethod
    def of(cls, runs: Sequence[Measured]) -> _Side:
        failures: Counter[str] = Counter()
        for each in runs:
            failures += each.failures
        return cls(
            sum(each.requests for each in runs),
            sum(sum(each.failed) for each in runs),
            failures[RATE_LIMITED],
            failures[NOT_INVOKED],
        )

    def exceeds(self, max_failure_share: float, excused: int = 0) -> bool:
        """Whether too many of the requests failed that are not excused."""
        return self.failed - excused > max_failure_share * (self.requests - excused)

    def excused(self, throttles: int) -> int:
        """Return how many failures AWS throttled, of which Lambda counts `throttles`."""
        return self.rate_limited + min(self.not_invoked, throttles)


@dataclass(frozen=True)
class Throttled:
    """Why runs whose failures AWS throttled measured nothing."""

    rate_limited: int
    by_lambda: int
    requests: int
    throttles: Throttles | None
    """None if Lambda was not asked, because API Gateway's rate limit explains it all."""
    name: str
    environment: Environment

    @property
    def sentence(self) -> str:
        """How many requests were throttled, in one clause."""
        return f"{self.rate_limited + self.by_lambda} of {self.requests} requests"

    def error(self, findings: Iterable[Finding] = ()) -> CouldNotRunError:
        """Return the refusal, with each limit and the command that raises it.

        `findings` are what was found of the other requests: a slow release is throttled sooner.
        """
        reasons, steps = [], []
        if self.by_lambda and self.throttles:
            reasons.append(f"Lambda rejected {self.by_lambda}, because {self.throttles.limit}")
            steps.append(self.throttles.next_step)
        if self.rate_limited:
            reason, step = rate_limit(self.name, self.environment)
            reasons.append(f"API Gateway answered 429 to {self.rate_limited}, because {reason}")
            steps.append(step)
        besides = [each.message for each in findings if each.rule not in _EXPLAINED]
        return could_not_measure(self.sentence, reasons, steps, besides)


def explain(
    sides: Mapping[str, Sequence[Measured]],
    max_failure_share: float,
    name: str,
    environment: Environment,
    watch: Watch,
) -> Throttled | None:
    """Return the throttling that explains why too many requests failed; None if none does.

    `sides` are the runs of each alias of the environment. Failures that a side has besides, and
    that are too many by themselves, are not explained.

    Raises:
        CouldNotRunError: AWS does not say whether Lambda throttled the requests that it rejected.
    """
    seen = {alias: _Side.of(runs) for alias, runs in sides.items()}
    if not any(each.exceeds(max_failure_share) for each in seen.values()):
        return None
    rejected = sum(each.not_invoked for each in seen.values())
    throttles = watch.throttles(rejected) if rejected else None
    counted = throttles.by_alias if throttles else {}
    excused = {alias: side.excused(counted.get(alias, 0)) for alias, side in seen.items()}
    if any(side.exceeds(max_failure_share, excused[alias]) for alias, side in seen.items()):
        return None
    rate_limited = sum(each.rate_limited for each in seen.values())
    return Throttled(
        rate_limited,
        sum(excused.values()) - rate_limited,
        sum(each.requests for each in seen.values()),
        throttles,
        name,
        environment,
    )
