"""E-processes: wealth whose expectation does not grow under the null hypothesis.

The wealth starts at 1 and is multiplied in each period by a factor whose expectation under the null
hypothesis is at most 1, given all earlier periods. Then P(ever >= 1/alpha) <= alpha (Ville 1939),
however often the wealth is evaluated. A weighted sum of such processes, with weights that sum to 1,
is also an e-process.
"""

from __future__ import annotations

import math

from pipeline.judge.statistics.bets import start_share, waiting

_FRACTION_BITS = 60
"""Logarithms are integers in units of 2^-60, so that sums are exact in any order."""


class WholeBets:
    """Σ_ψ π(ψ) Π_periods e_ψ: bets on faults that exist from the first period on.

    Args:
        log_shares: log π(ψ) of each bet.
    """

    def __init__(self, log_shares: list[float]) -> None:
        self._log_shares = log_shares
        self._sums = [0] * len(log_shares)

    def settle(self, log_e: list[float]) -> None:
        """Add the log of each bet's e-value in a period, rounded down."""
        self._sums = [
            sum_ + math.floor(math.ldexp(each, _FRACTION_BITS))
            for sum_, each in zip(self._sums, log_e, strict=True)
        ]

    @property
    def logs(self) -> list[float]:
        """The log of each bet's wealth."""
        return [
            share + sum_ / (1 << _FRACTION_BITS)
            for share, sum_ in zip(self._log_shares, self._sums, strict=True)
        ]


class LateBets:
    """Σ_s g_s Σ_ψ π(ψ) Π_{periods from s on} e_ψ: bets on a fault that begins with period s.

    The sum over all s is kept as one number for each bet: S_ψ <- (S_ψ + g_s π(ψ)) e_ψ. The wealth
    for later starts is not bet yet, and counts unchanged.

    Args:
        log_shares: log π(ψ) of each bet.
    """

    def __init__(self, log_shares: list[float]) -> None:
        self._log_shares = log_shares
        self._periods = 0
        self.logs = [-math.inf] * len(log_shares)
        """The log of each bet's wealth."""

    def begin(self) -> None:
        """Add the bet on a fault that begins with the next period."""
        self._periods += 1
        start = math.log(start_share(self._periods))
        self.logs = [
            log_sum([log, start + share])
            for log, share in zip(self.logs, self._log_shares, strict=True)
        ]

    def settle(self, log_e: list[float]) -> None:
        """Add the log of each bet's e-value in a period."""
        self.logs = [log + each for log, each in zip(self.logs, log_e, strict=True)]

    @property
    def log_waiting(self) -> float:
        """The log of the wealth that is not bet yet."""
        return math.log(waiting(self._periods))


def log_sum(logs: list[float]) -> float:
    """Return log Σ exp without overflow."""
    top = max(logs)
    if math.isinf(top):
        return top
    return top + math.log(math.fsum([math.exp(each - top) for each in logs]))
