"""Check a measurement against the limits of the environment file.

Each limit allows a number of bad requests: half of them may take longer than `max_p50_ms`, one in
twenty longer than `max_p95_ms`, and so on. The release promoted last, which was within these
limits, gets the same load at the same time. A comparison of bad requests block by block shows
whether the release exceeded a limit, or the machine on which both run.

Failures are answers with an error. They do not depend on the speed of the machine, so a slow
machine does not excuse them. It may excuse everything else, missing answers included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.gates.load.measurement import NO_ANSWER, Measurement
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
_LIMIT_COUNT = len(_QUANTILES) + 3
_MAX_BUSY_SHARE = 0.9
"""Share of a processor: a busier worker receives answers late."""
_MAX_STALLED_SHARE = 0.25
"""Share of the time in which the generator was ready to run. Above it, a process on the same
processors takes a third longer than it needs, which answers show."""


@dataclass(frozen=True)
class Limit:
    """A limit, and its bad requests in a run."""

    rule: str
    sentence: str
    """The measured and the allowed value."""
    allowed: float
    """Allowed number of bad requests."""
    bad: tuple[int, ...]
    """Bad requests in each block of the run."""

    @property
    def is_exceeded(self) -> bool:
        """Return whether there were more bad requests than allowed."""
        return sum(self.bad) > self.allowed


def require_all_requests(seen: Measurement, plan: Plan) -> None:
    """Check that every planned request was sent and counted.

    Raises:
        CouldNotRunError: the load profile raised an error, or requests are missing.
    """
    if seen.errors:
        error, count = seen.errors.most_common(1)[0]
        raise CouldNotRunError(
            f"the load profile itself failed {count} times: {error}; fix tests/load/profile.py"
        )
    if seen.requests < plan.requests:
        raise CouldNotRunError(
            f"could not measure: only {seen.requests} of {plan.requests} requests were counted"
        )


def limits_of(seen: Measurement, limits: Load) -> list[Limit]:
    """Return all limits, with the one on failures first."""
    return [_failures(seen, limits), *timed(seen, limits)]


def _failures(seen: Measurement, limits: Load) -> Limit:
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


def timed(seen: Measurement, limits: Load) -> list[Limit]:
    """Return the limits that a slow machine could exceed."""
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


def exceeded_in_every_run(runs: Sequence[Measurement], limits: Load) -> list[list[Limit]]:
    """Return the limits that were exceeded in every run, each with the values of all runs.

    One run within a limit is enough, because a busy machine only makes answers later. It causes no
    errors, so failures are counted over all runs.
    """
    total = Measurement(runs[0].seconds)
    for each in runs:
        total.add(each)
    failures = _failures(total, limits)
    by_limit = zip(*(timed(each, limits) for each in runs), strict=True)
    exceeded = [list(each) for each in by_limit if all(run.is_exceeded for run in each)]
    return [[failures], *exceeded] if failures.is_exceeded else exceeded


def attributed(runs: Sequence[Pair], limits: Load, *, is_slower: bool) -> list[Finding]:
    """Return findings about the limits that the release exceeded, and not its machine.

    A limit is attributed to the release if the release promoted last is within the limit and has
    fewer bad requests, by more than chance (the sign-flip test of `regression`); or if `is_slower`
    says that the comparison has found the release to be slower.
    """
    mine, promoted = (
        {each.rule: each for each in _together([limits_of(seen, limits) for seen in side])}
        for side in ([each.release for each in runs], [each.promoted for each in runs])
    )
    allowed = limits.comparison.false_alarm_share / (RUNS * _LIMIT_COUNT)
    found = []
    for measured in exceeded_in_every_run([each.release for each in runs], limits):
        rule = measured[-1].rule
        excesses = map(int.__sub__, mine[rule].bad, promoted[rule].bad)
        by_itself = not promoted[rule].is_exceeded and p_value(list(excesses)) <= allowed
        if by_itself or is_slower:
            found.append(limit_finding(measured))
    return found


def _together(runs: Sequence[Sequence[Limit]]) -> list[Limit]:
    """Add up the bad requests of several runs; the sentence is that of the last run."""
    return [
        Limit(
            each[-1].rule,
            each[-1].sentence,
            sum(run.allowed for run in each),
            tuple(count for run in each for count in run.bad),
        )
        for each in zip(*runs, strict=True)
    ]


def is_generator_starved(seen: Measurement, limits: Load) -> bool:
    """Return whether the generator had too little processor time to prove an exceeded limit."""
    return (
        seen.busy > _MAX_BUSY_SHARE
        or seen.stalled > _MAX_STALLED_SHARE
        or added(seen, 0.95) > limits.max_p99_ms
        or not any(each.is_exceeded for each in timed(_without_lateness(seen), limits))
    )


def added(seen: Measurement, share: float) -> float:
    """Return the milliseconds that the generator may have added to a quantile, both ways."""
    return 2 * seen.lateness.quantile(share)


def _without_lateness(seen: Measurement) -> Measurement:
    """Return the measurement without the time that the generator may have added."""
    return seen.shortened(added(seen, 0.95))


def sentences(exceeded: Sequence[Sequence[Limit]]) -> str:
    """Return the sentence of each limit in the last run."""
    return "; ".join(runs[-1].sentence for runs in exceeded)


def limit_finding(measured: Sequence[Limit]) -> Finding:
    """Return the finding about a limit that was exceeded in every run."""
    return _finding(measured[-1].rule, measured[-1].sentence)


def machine(seen: Measurement, limits: Load) -> str:
    """Describe the processor time that the generator had, and how to give it more."""
    return (
        f"the load generator waited for a processor in {seen.stalled:.0%} of the time in which it "
        f"was ready to run, used {seen.busy:.0%} of one, and was up to {added(seen, 0.95):.0f} ms "
        "late (p95). Use a larger or a less busy machine, or lower requests_per_second "
        f"({limits.requests_per_second}) in [load] of environments/staging.toml"
    )


def _finding(rule: str, message: str) -> Finding:
    return Finding(TOOL, rule, message, subject="all requests")
