"""The odds ratios that the test bets on, and the share of the wealth that each bet gets.

An e-value is the wealth of a gambler who starts with 1 and bets against the null hypothesis at its
own odds. Any shares that sum to 1 keep the error rate; the shares only affect the time to
detection. These were chosen by simulation (traffic 1-1,000 requests/s, base rates 0.01-1 %,
regressions of 2-50 times, canary shares 1-50 %). The mean time to detection, less half a period, is
1.2 times the information limit for regressions of 2 to 20 times, and 1.4 times for 50 times.
"""

from __future__ import annotations

WORSE = (1.5, 2.0, 3.0, 5.0, 10.0, 25.0, 80.0)
"""Odds ratios of the bets against "no worse", as multiples of the tolerance."""

WORSE_SHARES = (0.03, 0.07, 0.11, 0.09, 0.13, 0.15, 0.42)
"""Share of each bet. The highest odds ratio gets most: there two or three failures bring the
verdict, and a smaller share would need one more."""

BETTER_SHARES = (0.1, 0.8, 0.1)
"""Shares of the odds ratios that `better` returns."""

FROM_THE_START = 0.8
"""Share bet on a fault that exists from the first period on; the rest is bet on later ones."""

_EXPECTED_START_PERIOD = 10


def better(harmful: float) -> tuple[float, float, float]:
    """Return the odds ratios of the bets against "harmful": better, equal, and slightly worse."""
    return 0.5, 1.0, harmful**0.5


def start_share(period: int) -> float:
    """Return g_s, the share of the late bets on a fault that begins with the s-th period.

    g_s = h / ((s+h-1) (s+h)) with h = 10; the sum over all s = 1, 2, … is 1.
    """
    h = _EXPECTED_START_PERIOD
    return h / ((period + h - 1) * (period + h))


def waiting(periods: int) -> float:
    """Return the share that is not bet yet after some periods: 1 - g_1 - … - g_s."""
    return _EXPECTED_START_PERIOD / (_EXPECTED_START_PERIOD + periods)
