"""What a run saw, held against the limits of the environment's file.

A latency counts from when the request was due, so a generator that is late itself makes the
service look slower, and never faster: what is within the limits has passed, however late it was.
What is beyond them is refused only where it still is without what the generator may have added.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.gates.gate import CouldNotRunError
from pipeline.gates.load.histogram import Histogram

if TYPE_CHECKING:
    from environments.gates import Load
    from pipeline.gates.load.measured import Measured
    from pipeline.gates.load.plan import Plan

_BUSY = 0.9
"""Of a processor: with more, a worker finds answers late and nobody knows by how much."""


def attend(seen: Measured, plan: Plan) -> None:
    """See that what was planned was done.

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


def refusal(seen: Measured, limits: Load) -> str | None:
    """Which limits were crossed, as a sentence.

    Raises:
        CouldNotRunError: some were, and the generator may be to blame.
    """
    over = _crossed(seen, limits, lenient=False)
    if not over:
        return None
    hopeless = seen.busy > _BUSY or added(seen, 0.95) > limits.max_p99_ms
    if hopeless or not _crossed(seen, limits, lenient=True):
        raise CouldNotRunError(f"could not measure: {'; '.join(over)}; but {blame(seen, limits)}")
    return "; ".join(over)


def added(seen: Measured, share: float) -> float:
    """Milliseconds that the generator may have added to a quantile, on the way out and back."""
    return 2 * seen.lateness.quantile(share)


def blame(seen: Measured, limits: Load) -> str:
    """Why it may be the generator's fault, as part of a sentence."""
    return (
        f"up to {added(seen, 0.95):.0f} ms of it (p95) may be the generator's own, which took "
        f"{seen.busy:.0%} of a processor for {limits.requests_per_second} requests a second; "
        f"give it more workers than {limits.workers}, or a machine of its own"
    )


def _crossed(seen: Measured, limits: Load, lenient: bool) -> list[str]:
    """Each limit that is crossed; leniently, also without what the generator may have added."""
    latencies = seen.warm
    found = [
        f"p{100 * share:.0f} is {latency:.0f} ms, allowed {most} ms"
        for share, most in (
            (0.5, limits.max_p50_ms),
            (0.95, limits.max_p95_ms),
            (0.99, limits.max_p99_ms),
        )
        if (latency := latencies.quantile(share)) - lenient * added(seen, share) > most
    ]
    failed, cold = seen.failures.total() / seen.requests, seen.cold.total / seen.requests
    if failed > limits.max_failure_share:
        reasons = ", ".join(f"{count} {reason}" for reason, count in seen.failures.most_common(3))
        found.append(
            f"the share of failures is {failed:.2%}, allowed {limits.max_failure_share:.2%} "
            f"({reasons})"
        )
    if seen.throughput < limits.min_throughput:
        found.append(
            f"{seen.throughput:.1f} good answers a second, at least {limits.min_throughput}"
        )
    if cold > limits.max_cold_share:
        found.append(f"the share of cold starts is {cold:.2%}, allowed {limits.max_cold_share:.2%}")
    return found


def summary(seen: Measured) -> str:
    """The run in one clause."""
    latencies = seen.warm
    p50, p95, p99 = (latencies.quantile(share) for share in (0.5, 0.95, 0.99))
    return (
        f"{seen.requests} requests at {seen.throughput:.0f}/s, {seen.failures.total()} failed, "
        f"{seen.cold.total} met a cold start, p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms"
    )


def details(seen: Measured) -> dict[str, Any]:
    """The run for the report; latencies in milliseconds."""
    return {
        "requests": seen.requests,
        "throughput": round(seen.throughput, 1),
        "failures": dict(seen.failures),
        "cold_starts": {"requests": seen.cold.total, "p95_ms": round(seen.cold.quantile(0.95), 1)},
        "generator": {
            "late_p95_ms": round(seen.lateness.quantile(0.95), 1),
            "busy": round(seen.busy, 2),
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
