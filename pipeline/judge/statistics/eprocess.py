"""E-processes: wealth that, under the null hypothesis, is not expected to grow.

The wealth starts at 1 and is multiplied, period by period, by factors whose expectation under the
null hypothesis is at most 1 given all that was seen before. Then P(ever >= 1/alpha) <= alpha
(Ville 1939), whenever and however often somebody looks. A weighted sum of such processes with
weights that sum to 1 is another.
"""

from __future__ import annotations

import math

from pipeline.judge.statistics.bets import start_share, waiting

_UNIT = 60  # Logarithms are kept in units of 2^-60: whole numbers add up exactly, in any order.


class WholeBets:
    """Σ_ψ π(ψ) Π_periods e_ψ: bets on odds ratios that hold in every period.

    Args:
        log_shares: log π(ψ) of each bet.
    """

    def __init__(self, log_shares: list[float]) -> None:
        self._log_shares = log_shares
        self._sums = [0] * len(log_shares)

    def settle(self, log_e: list[float]) -> None:
        """One more period: the log of each bet's e-value, rounded down."""
        self._sums = [
            sum_ + math.floor(math.ldexp(each, _UNIT))
            for sum_, each in zip(self._sums, log_e, strict=True)
        ]

    @property
    def logs(self) -> list[float]:
        """The log of each bet's wealth."""
        return [
            share + sum_ / (1 << _UNIT)
            for share, sum_ in zip(self._log_shares, self._sums, strict=True)
        ]


class LateBets:
    """Σ_s g_s Σ_ψ π(ψ) Π_{periods from s on} e_ψ: bets on a fault that begins with period s.

    A sum over all beginnings, kept as one number a bet: S_ψ <- (S_ψ + g_s π(ψ)) e_ψ. What is
    meant for later beginnings waits, and counts as it is.

    Args:
        log_shares: log π(ψ) of each bet.
    """

    def __init__(self, log_shares: list[float]) -> None:
        self._log_shares = log_shares
        self._periods = 0
        self.logs = [-math.inf] * len(log_shares)
        """The log of each bet's wealth."""

    def begin(self) -> None:
        """Bet on a fault that begins with the period that comes."""
        self._periods += 1
        start = math.log(start_share(self._periods))
        self.logs = [
            log_sum([log, start + share])
            for log, share in zip(self.logs, self._log_shares, strict=True)
        ]

    def settle(self, log_e: list[float]) -> None:
        """One more period: the log of each bet's e-value."""
        self.logs = [log + each for log, each in zip(self.logs, log_e, strict=True)]

    @property
    def log_waiting(self) -> float:
        """The log of what is bet on no beginning yet."""
        return math.log(waiting(self._periods))


def log_sum(logs: list[float]) -> float:
    """Log Σ exp, without overflow."""
    top = max(logs)
    if math.isinf(top):
        return top
    return top + math.log(math.fsum([math.exp(each - top) for each in logs]))
