"""Check a measurement against the limits of the environment file.

Each limit allows a number of bad requests: half of them may take longer than `max_p50_ms`, one in
twenty longer than `max_p95_ms`, and so on. Counting the bad requests block by block shows whether
the release crossed a limit, or the machine that both releases run on did: the release promoted
last is sent the same load in the same seconds, and it passed these limits before.

Failures are answers with an error. They do not depend on the machine's speed, so no machine
excuses them; everything else does, an answer that never came included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.gates.load.histogram import Histogram
from pipeline.gates.load.measured import NO_ANSWER, Measured
from pipeline.gates.load.regression import RUNS, p_value
from pipeline.gates.report.findings import Finding
from pipeline.gates.report.result import CouldNotRunError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from environments.gates import Load
    from pipeline.gates.load.plan import Plan
    from pipeline.gates.load.regression import Pair

TOOL = "locust"
FAILURES = "failures-limit"
THROUGHPUT = "throughput-limit"
_QUANTILES = (0.5, 0.95, 0.99)
_LIMITS = len(_QUANTILES) + 3
_MAX_BUSY_SHARE = 0.9
"""Of a processor: a busier worker receives answers late."""
_MAX_STALLED_SHARE = 0.25
"""Of the time in which the generator was ready to run. Above it, what shares its processors takes
a third longer than it needs, and answers show that."""


@dataclass(frozen=True)
class Limit:
    """A limit, and what a run measured of it."""

    rule: str
    sentence: str
    """What was found and what is allowed."""
    allowed: float
    """Bad requests."""
    bad: tuple[int, ...]
    """Bad requests in each block of the run."""

    @property
    def is_crossed(self) -> bool:
        """Whether there were more bad requests than allowed."""
        return sum(self.bad) > self.allowed


def attend(seen: Measured, plan: Plan) -> None:
    """Check that every planned request was sent and counted.

    Raises:
        CouldNotRunError: the profile itself failed, or requests are missing.
    """
    if seen.errors:
        error, count = seen.errors.most_common(1)[0]
        raise CouldNotRunError(f"the load profile itself failed {count} times: {error}")
    if seen.requests < plan.requests:
        raise CouldNotRunError(
            f"could not measure: {seen.requests} of {plan.requests} requests are accounted for"
        )


def limits_of(seen: Measured, limits: Load) -> list[Limit]:
    """Return every limit, first the one on failures."""
    return [_failures(seen, limits), *timed(seen, limits)]


def _failures(seen: Measured, limits: Load) -> Limit:
    share = sum(seen.failed) / seen.requests
    answered = seen.failures.copy()
    del answered[NO_ANSWER]
    reasons = ", ".join(f"{count} {reason}" for reason, count in answered.most_common(3))
    return Limit(
        FAILURES,
        f"the share of failures is {share:.2%}, allowed {limits.max_failure_share:.2%} ({reasons})",
        limits.max_failure_share * seen.requests,
        tuple(seen.failed),
    )


def timed(seen: Measured, limits: Load) -> list[Limit]:
    """Return every limit that a slow machine alone could cross."""
    latencies, blocks = seen.warm, seen.warm_blocks
    found = [
        Limit(
            f"p{100 * share:.0f}-limit",
            f"p{100 * share:.0f} is {latencies.quantile(share):.0f} ms, allowed {most} ms",
            (1 - share) * latencies.total,
            tuple(block.above(most) for block in blocks),
        )
        for share, most in zip(
            _QUANTILES, (limits.max_p50_ms, limits.max_p95_ms, limits.max_p99_ms), strict=True
        )
    ]
    cold = seen.cold_total
    return [
        *found,
        Limit(
            THROUGHPUT,
            f"{seen.throughput:.1f} good answers a second, at least {limits.min_throughput}",
            seen.requests - limits.min_throughput * seen.seconds,
            tuple(map(int.__sub__, seen.requests_by_block, seen.timely)),
        ),
        Limit(
            "cold-starts-limit",
            f"the share of cold starts is {cold / seen.requests:.2%}, "
            f"allowed {limits.max_cold_share:.2%}",
            limits.max_cold_share * seen.requests,
            tuple(block.total for block in seen.cold),
        ),
    ]


def crossed_in_every(runs: Sequence[Measured], limits: Load) -> list[list[Limit]]:
    """Return the limits that no run was within; for each, what the runs measured.

    One run within a limit is enough to pass it: a busy machine only ever makes answers later. It
    makes no errors, so failures are counted over all runs.
    """
    total = Measured(runs[0].seconds)
    for each in runs:
        total.add(each)
    failures = _failures(total, limits)
    by_limit = zip(*(timed(each, limits) for each in runs), strict=True)
    crossed = [list(each) for each in by_limit if all(run.is_crossed for run in each)]
    return [[failures], *crossed] if failures.is_crossed else crossed


def blamed(runs: Sequence[Pair], limits: Load, *, is_slower: bool) -> list[Finding]:
    """Return the limits that the release crossed by itself, not the machine.

    The release has more bad requests than the one promoted last, by more than chance (the
    sign-flip test of `regression`), and that one is within the limit; or `is_slower` says that
    the comparison has already found the release slower.
    """
    mine, beside = (
        {each.rule: each for each in _together([limits_of(seen, limits) for seen in side])}
        for side in ([each.release for each in runs], [each.promoted for each in runs])
    )
    allowed = limits.comparison.false_alarm_share / (RUNS * _LIMITS)
    found = []
    for measured in crossed_in_every([each.release for each in runs], limits):
        rule = measured[-1].rule
        excesses = map(int.__sub__, mine[rule].bad, beside[rule].bad)
        by_itself = not beside[rule].is_crossed and p_value(list(excesses)) <= allowed
        if by_itself or is_slower:
            found.append(crossing(measured))
    return found


def _together(runs: Sequence[Sequence[Limit]]) -> list[Limit]:
    """Add up what several runs measured; the sentence is the last run's."""
    return [
        Limit(
            each[-1].rule,
            each[-1].sentence,
            sum(run.allowed for run in each),
            tuple(count for run in each for count in run.bad),
        )
        for each in zip(*runs, strict=True)
    ]


def is_starved(seen: Measured, limits: Load) -> bool:
    """Whether the generator had too little of its machine for a limit to be called crossed."""
    return (
        seen.busy > _MAX_BUSY_SHARE
        or seen.stalled > _MAX_STALLED_SHARE
        or added(seen, 0.95) > limits.max_p99_ms
        or not any(each.is_crossed for each in timed(_without_lateness(seen), limits))
    )


def added(seen: Measured, share: float) -> float:
    """Milliseconds that the generator may have added to a quantile, on the way out and back."""
    return 2 * seen.lateness.quantile(share)


def _without_lateness(seen: Measured) -> Measured:
    """Return the measurement less what the generator may have added to the slowest requests."""
    return seen.shortened(added(seen, 0.95))


def sentences(crossed: Sequence[Sequence[Limit]]) -> str:
    """Return what the last run measured of each limit."""
    return "; ".join(runs[-1].sentence for runs in crossed)


def crossing(measured: Sequence[Limit]) -> Finding:
    """Return the finding about a limit that no run was within."""
    return _finding(measured[-1].rule, measured[-1].sentence)


def machine(seen: Measured, limits: Load) -> str:
    """Describe what the generator had of its machine, and how to give it more."""
    return (
        f"the generator waited for a processor for {seen.stalled:.0%} of the time in which it was "
        f"ready to run, used {seen.busy:.0%} of one, and was up to {added(seen, 0.95):.0f} ms late "
        "(p95). Use a larger or a quieter machine, or lower requests_per_second "
        f"({limits.requests_per_second}) in [load] of environments/staging.toml"
    )


def summary(seen: Measured) -> str:
    """Return the run in one clause."""
    latencies = seen.warm
    p50, p95, p99 = (latencies.quantile(share) for share in _QUANTILES)
    return (
        f"{seen.requests} requests at {seen.throughput:.0f}/s, {seen.failures.total()} failed, "
        f"{seen.cold_total} met a cold start, p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms"
    )


def details(seen: Measured) -> dict[str, Any]:
    """Return the run for the report; latencies in milliseconds."""
    cold = Histogram.sum(seen.cold)
    return {
        "requests": seen.requests,
        "throughput": round(seen.throughput, 1),
        "failures": dict(seen.failures),
        "cold_starts": {"requests": cold.total, "p95_ms": round(cold.quantile(0.95), 1)},
        "generator": {
            "late_p95_ms": round(seen.lateness.quantile(0.95), 1),
            "busy": round(seen.busy, 2),
            "stalled": round(seen.stalled, 2),
            "warm_up_seconds": round(seen.warm_up, 1),
        },
        "latencies_ms": {
            name: {
                f"p{percent}": round(Histogram.sum(blocks).quantile(percent / 100), 1)
                for percent in (50, 95, 99)
            }
            for name, blocks in seen.with_all().items()
        },
    }


def _finding(rule: str, message: str) -> Finding:
    return Finding(TOOL, rule, message, subject="all requests")
