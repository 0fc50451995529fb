"""Describe the measurement of a run: in one clause, and as details for the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.gates.load.histogram import Histogram

if TYPE_CHECKING:
    from pipeline.gates.load.measurement import Measurement

_QUANTILES = (0.5, 0.95, 0.99)


def summary(seen: Measurement) -> str:
    """Return a run in one clause."""
    latencies = seen.warm
    p50, p95, p99 = (latencies.quantile(share) for share in _QUANTILES)
    return (
        f"{seen.requests} requests at {seen.throughput:.0f}/s, {seen.failures.total()} failed, "
        f"{seen.cold_total} met a cold start, p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms"
    )


def details(seen: Measurement) -> dict[str, Any]:
    """Return a run for the report, with latencies in milliseconds."""
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
