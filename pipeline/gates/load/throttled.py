"""Explain failures of a load by throttling, for which the release is not responsible."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.gates.load.limits import FAILURES, THROUGHPUT
from pipeline.gates.load.measurement import NOT_INVOKED, RATE_LIMITED
from pipeline.gates.throttling import could_not_measure, rate_limit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from environments.schema import Environment
    from pipeline.gates.lambda_throttles import Throttles, Watch
    from pipeline.gates.load.measurement import Measurement
    from pipeline.gates.report.findings import Finding
    from pipeline.gates.report.result import CouldNotRunError


_EXPLAINED_RULES = frozenset({FAILURES, THROUGHPUT})
"""Rules of findings that throttling explains: it makes requests fail, and delays none."""


@dataclass(frozen=True)
class _Side:
    """Counts of one alias's answers over all runs."""

    requests: int
    failed: int
    """Answers with an error, throttled ones included."""
    rate_limited: int
    not_invoked: int

    @classmethod
    def of(cls, runs: Sequence[Measurement]) -> _Side:
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
        """Return whether too many requests failed, without the excused ones."""
        return self.failed - excused > max_failure_share * (self.requests - excused)

    def excused(self, throttles: int) -> int:
        """Return how many failures were throttled requests; `throttles` is Lambda's count."""
        return self.rate_limited + min(self.not_invoked, throttles)


@dataclass(frozen=True)
class Throttled:
    """The throttling that explains the failures of runs."""

    rate_limited: int
    by_lambda: int
    requests: int
    throttles: Throttles | None
    """None if API Gateway's rate limit alone explains the failures."""
    name: str
    environment: Environment

    @property
    def sentence(self) -> str:
        """Return the number of throttled requests in one clause."""
        return f"{self.rate_limited + self.by_lambda} of {self.requests} requests"

    def error(self, findings: Iterable[Finding] = ()) -> CouldNotRunError:
        """Return the refusal, with each limit and the command that raises it.

        `findings` are those of the other requests: a slow release is throttled sooner.
        """
        reasons, steps = [], []
        if self.by_lambda and self.throttles:
            reasons.append(f"Lambda rejected {self.by_lambda}, because {self.throttles.limit}")
            steps.append(self.throttles.next_step)
        if self.rate_limited:
            reason, step = rate_limit(self.name, self.environment)
            reasons.append(f"API Gateway answered 429 to {self.rate_limited}, because {reason}")
            steps.append(step)
        besides = [each.message for each in findings if each.rule not in _EXPLAINED_RULES]
        return could_not_measure(self.sentence, reasons, steps, besides)


def explain(
    sides: Mapping[str, Sequence[Measurement]],
    max_failure_share: float,
    name: str,
    environment: Environment,
    watch: Watch,
) -> Throttled | None:
    """Return the throttling that explains why too many requests failed; None if none does.

    `sides` are the runs of each alias of the environment. None also if the failures of a side
    are too many without the throttled requests.

    Raises:
        CouldNotRunError: Lambda's throttles cannot be read.
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
