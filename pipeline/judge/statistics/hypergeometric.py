"""The noncentral hypergeometric distribution of failures over two versions.

If `failures` of all requests of a period failed, and the odds of failing are ψ times as high on
the canary, then P(J = j) for the number J of the canary's failures is proportional to
C(canary, j) C(stable, failures - j) ψ^j (Fisher 1935). It does not depend on the failure rate that
both versions share, which is unknown and changes.
"""

from __future__ import annotations

import math
from itertools import accumulate
from operator import mul

TRUNCATION = 1e-16
"""Terms are summed until one is below this share of the greatest term.

The omitted part on each side is then below 1.01 times this share of the sum. Proof: the terms are
log-concave, so the ratios of neighbours decrease with the distance from the mode. Let a term
t < TRUNCATION be d steps from the mode, whose term is 1. The d ratios up to it multiply to t, so
the next ratio is at most q = t^(1/d), and the i-th term is at least q^i. The omitted terms sum to
at most t q / (1 - q), and the summed ones to at least (1 - t) / (1 - q).
"""

_CHUNK_TERMS = 32


class _Terms:
    """The terms of one odds ratio, scaled so that the greatest is 1, without negligible ones."""

    __slots__ = ("first", "log_greatest", "total", "values")

    def __init__(self, ratios: list[float], psi: float, mode: int, log_greatest: float) -> None:
        up, down = [1.0], [1.0]
        at, count = mode, len(ratios)
        while at < count and up[-1] >= TRUNCATION:
            steps = [ratio * psi for ratio in ratios[at : at + _CHUNK_TERMS]]
            up += accumulate(steps[1:], mul, initial=up[-1] * steps[0])
            at += _CHUNK_TERMS
        at, inverse = mode, 1 / psi
        while at > 0 and down[-1] >= TRUNCATION:
            steps = [inverse / ratio for ratio in reversed(ratios[max(0, at - _CHUNK_TERMS) : at])]
            down += accumulate(steps[1:], mul, initial=down[-1] * steps[0])
            at -= _CHUNK_TERMS
        self.first = mode - len(down) + 1
        down.reverse()
        self.values = down + up[1:]
        self.total = math.fsum(self.values)
        self.log_greatest = log_greatest


class FailureSplit:
    """The distribution of a period's failures over both versions, at several odds ratios.

    Time and memory grow with the failures, not with the requests.

    Args:
        canary: requests of the canary, at least 1.
        stable: requests of the stable version, at least 1.
        failures: failed requests of both versions together.
        odds: the odds ratios ψ in ascending order.
    """

    def __init__(self, canary: int, stable: int, failures: int, odds: tuple[float, ...]) -> None:
        self.least = max(0, failures - stable)
        self.most = min(failures, canary)
        spare = stable - failures + 1
        # C(canary, j+1) C(stable, failures-j-1) divided by C(canary, j) C(stable, failures-j)
        ratios = [
            (canary - j) * (failures - j) / ((j + 1) * (spare + j))
            for j in range(self.least, self.most)
        ]
        self._terms: dict[float, _Terms] = {}
        mode, log_greatest = 0, 0.0
        for psi in odds:
            before = mode
            while mode < len(ratios) and ratios[mode] * psi > 1:
                mode += 1
            log_greatest += _log_product(ratios[before:mode])
            self._terms[psi] = _Terms(ratios, psi, mode, log_greatest + mode * math.log(psi))

    def log_e(self, failures: int, psi: float, null: float) -> float:
        """Return log P_ψ(J = failures) / P_null(J = failures), the log of an e-value.

        It is an e-value against each odds ratio on the null hypothesis's side of `null`, because
        the ratio of the two probabilities is monotone in J. The truncation error of the sums is
        subtracted, so that no e-value is overstated by more than the rounding error, below 1e-12.
        """
        bet, against = self._terms[psi], self._terms[null]
        return (
            (failures - self.least) * math.log(psi / null)
            - (bet.log_greatest - against.log_greatest)
            - math.log(bet.total / against.total)
            - 3 * TRUNCATION
        )

    def below(self, failures: int, psi: float) -> float:
        """Return P_ψ(J < failures) with an error below 1e-12."""
        terms = self._terms[psi]
        return sum(terms.values[: max(0, failures - self.least - terms.first)]) / terms.total


def _log_product(ratios: list[float]) -> float:
    """Return the log of a product, eight ratios at a time, so that none over- or underflows."""
    return math.fsum(math.log(math.prod(ratios[at : at + 8])) for at in range(0, len(ratios), 8))
