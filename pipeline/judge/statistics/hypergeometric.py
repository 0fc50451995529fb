"""The noncentral hypergeometric distribution: who failed, given how many failed.

When `failures` of all requests of a period failed, and the odds of failing are ψ times as high on
the canary, then the number J of failures that the canary served has
P(J = j) in proportion to C(canary, j) C(stable, failures - j) ψ^j (Fisher 1935). The failure rate
that both versions share, known to nobody and never the same, has cancelled.
"""

from __future__ import annotations

import math
from itertools import accumulate
from operator import mul

LEFT_OUT = 1e-16
"""Terms are summed up until one is below this part of the greatest.

What is left out is then below 1.01 times this part of the sum, on either side. Proof: the terms
are log-concave, so the ratios of neighbours fall with the distance from the mode. Let a term
t < LEFT_OUT stand d steps from the mode, which is 1. The d ratios up to it multiply to t, so the
next is at most q = t^(1/d), and the i-th term is at least q^i. What lies beyond is at most
t q / (1 - q), and what was summed up at least (1 - t) / (1 - q).
"""

_CHUNK = 32


class _Terms:
    """The terms of one odds ratio that count, the greatest of them 1."""

    __slots__ = ("first", "log_greatest", "total", "values")

    def __init__(self, ratios: list[float], psi: float, mode: int, log_greatest: float) -> None:
        up, down = [1.0], [1.0]
        at, count = mode, len(ratios)
        while at < count and up[-1] >= LEFT_OUT:
            steps = [ratio * psi for ratio in ratios[at : at + _CHUNK]]
            up += accumulate(steps[1:], mul, initial=up[-1] * steps[0])
            at += _CHUNK
        at, inverse = mode, 1 / psi
        while at > 0 and down[-1] >= LEFT_OUT:
            steps = [inverse / ratio for ratio in reversed(ratios[max(0, at - _CHUNK) : at])]
            down += accumulate(steps[1:], mul, initial=down[-1] * steps[0])
            at -= _CHUNK
        self.first = mode - len(down) + 1
        down.reverse()
        self.values = down + up[1:]
        self.total = math.fsum(self.values)
        self.log_greatest = log_greatest


class FailureSplit:
    """How the failures of one period may fall to the canary, at several odds ratios.

    Time and memory grow with the failures, not with the requests.

    Args:
        canary: requests of the canary, at least 1.
        stable: requests of the stable version, at least 1.
        failures: of both together, at most all requests.
        odds: the odds ratios ψ, in ascending order.
    """

    def __init__(self, canary: int, stable: int, failures: int, odds: tuple[float, ...]) -> None:
        self.least = max(0, failures - stable)
        self.most = min(failures, canary)
        spare = stable - failures + 1
        # of C(canary, j+1) C(stable, failures-j-1) to C(canary, j) C(stable, failures-j)
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
        """Log P_ψ(J = failures) / P_null(J = failures): the log of an e-value against the null.

        Against each odds ratio on the null's side of `null`, that is, for the ratio of the two
        probabilities is monotone in J. What the sums leave out is taken off: no e-value is
        overstated but for rounding, which is below 1e-12.
        """
        bet, against = self._terms[psi], self._terms[null]
        return (
            (failures - self.least) * math.log(psi / null)
            - (bet.log_greatest - against.log_greatest)
            - math.log(bet.total / against.total)
            - 3 * LEFT_OUT
        )

    def below(self, failures: int, psi: float) -> float:
        """P_ψ(J < failures), within 1e-12."""
        terms = self._terms[psi]
        return sum(terms.values[: max(0, failures - self.least - terms.first)]) / terms.total


def _log_product(ratios: list[float]) -> float:
    """The logarithm of a product; of eight ratios at a time, which neither over- nor underflow."""
    return math.fsum(math.log(math.prod(ratios[at : at + 8])) for at in range(0, len(ratios), 8))
