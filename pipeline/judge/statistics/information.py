"""What a request can tell at best, in nats: the limit that no rule can beat.

A rule that rolls back at most a share alpha of the canaries that are no worse, and in the end every
one that is, needs log(1/alpha) / information requests on average at least (Wald 1945), where the
information of a request is the least Kullback-Leibler divergence from what is to what would be no
worse. Nobody knows the rate at which a canary that is no worse would fail: the one nearest to
what is seen keeps the share of failures over both versions. For tolerance 1 that divergence is
Jensen and Shannon's, with the canary's share w of the requests as weight:

    JS_w = w KL(p1 || m) + (1-w) KL(p0 || m),    m = w p1 + (1-w) p0.
"""

from __future__ import annotations

import math

from pipeline.judge.statistics import bounds


def divergence(p: float, q: float) -> float:
    """KL(p || q) of two failure rates, in nats; infinite where q excludes what p has."""
    total = 0.0
    for a, b in ((p, q), (1 - p, 1 - q)):
        if a > 0:
            total += a * math.log(a / b) if b > 0 else math.inf
    return max(0.0, total)


def information(canary: float, stable: float, share: float, odds: float = 1.0) -> float:
    """The information of a request, of either version, against "the odds ratio is `odds`".

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
    # The stable version's odds x in the nearest null: share ψx/(1+ψx) + (1-share) x/(1+x) = mean.
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
    """Requests of both versions that no rule does without on average; `share` are the canary's.

    Infinite for a canary that is no worse. For the arguments see `information`.
    """
    bounds.rate("false_rollback_rate", false_rollback_rate)
    information_ = information(canary, stable, share, tolerance)
    if canary * (1 - stable) <= tolerance * stable * (1 - canary):
        return math.inf
    return -math.log(false_rollback_rate) / information_
