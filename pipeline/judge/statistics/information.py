"""The information of a request in nats, and the limit that no rule can beat.

A rule that rolls back at most a share alpha of the canaries that are no worse, and eventually every
canary that is worse, needs on average at least log(1/alpha) / information requests (Wald 1945). The
information of a request is the least Kullback-Leibler divergence from the actual distribution to
one in which the canary is no worse. The nearest such distribution has the same share of failures
over both versions. For tolerance 1 the divergence is that of Jensen and Shannon, with the canary's
share w of the requests as weight:

    JS_w = w KL(p1 || m) + (1-w) KL(p0 || m),    m = w p1 + (1-w) p0.
"""

from __future__ import annotations

import math

from pipeline.judge.statistics import bounds


def divergence(p: float, q: float) -> float:
    """Return KL(p || q) of two failure rates in nats; infinite if q is 0 or 1 and p is not."""
    total = 0.0
    for a, b in ((p, q), (1 - p, 1 - q)):
        if a > 0:
            total += a * math.log(a / b) if b > 0 else math.inf
    return max(0.0, total)


def information(canary: float, stable: float, share: float, odds: float = 1.0) -> float:
    """Return the information of a request of either version against "the odds ratio is `odds`".

    Args:
        canary: the canary's failure rate, 0 to 1.
        stable: the stable version's, 0 to 1.
        share: the canary's share of the requests, above 0 and below 1.
        odds: the odds ratio of the null hypothesis.
    """
    for name, found in (("canary", canary), ("stable", stable)):
        if not 0 <= found <= 1:
            raise ValueError(f"{name}: {found} found; allowed is a failure rate from 0 to 1")
    if not 0 < share < 1:
        raise ValueError(f"share: {share} found; allowed is a share above 0 and below 1")
    if not 0 < odds < math.inf:
        raise ValueError(f"odds: {odds} found; allowed is an odds ratio above 0")
    mean = share * canary + (1 - share) * stable
    if not 0 < mean < 1:
        return 0.0
    # x: the stable version's odds in the nearest distribution of the null hypothesis, the root of
    # share ψx/(1+ψx) + (1-share) x/(1+x) = mean.
    a = odds * (1 - mean)
    b = share * odds + 1 - share - mean * (1 + odds)
    root = math.sqrt(b * b + 4 * a * mean)
    x = 2 * mean / (b + root) if b > 0 else (root - b) / (2 * a)
    as_canary, as_stable = odds * x / (1 + odds * x), x / (1 + x)
    return share * divergence(canary, as_canary) + (1 - share) * divergence(stable, as_stable)


def requests_limit(
    false_rollback_rate: float,
    canary: float,
    stable: float,
    share: float,
    tolerance: float = 1.0,
) -> float:
    """Return the average number of requests of both versions that every rule needs at least.

    Infinite for a canary that is no worse. For the arguments see `information`.
    """
    bounds.rate("false_rollback_rate", false_rollback_rate)
    information_ = information(canary, stable, share, tolerance)
    if canary * (1 - stable) <= tolerance * stable * (1 - canary):
        return math.inf
    return -math.log(false_rollback_rate) / information_
