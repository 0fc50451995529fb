"""The numbers that were chosen: which odds ratios are bet on, with which shares of the wealth.

An e-value is the wealth of a gambler who began with 1 and bets against the null hypothesis at its
own odds. Any shares that sum to 1 keep the error rate; these make detection fast. They were
chosen by simulation (traffic 1-1,000 requests/s, base rates 0.01-1 %, regressions of 2-50 times,
canary shares 1-50 %): the mean time to detection, half a period taken off, is level at 1.2 times
the information limit from 2 to 20 times, and 1.4 times where a regression is 50 times.
"""

from __future__ import annotations

WORSE = (1.5, 2.0, 3.0, 5.0, 10.0, 25.0, 80.0)
"""Odds ratios bet on against "no worse", as multiples of the tolerance."""

WORSE_SHARES = (0.03, 0.07, 0.11, 0.09, 0.13, 0.15, 0.42)
"""Much on the highest: there two or three failures decide, and a small share costs one more."""

BETTER_SHARES = (0.1, 0.8, 0.1)
"""Shares of the odds ratios that `better` names."""

FROM_THE_START = 0.8
"""The share bet on a fault that was there from the first period on; the rest waits."""

_SOON = 10


def better(harmful: float) -> tuple[float, float, float]:
    """Odds ratios bet on against "harmful": better than the stable version, as good, less so."""
    return 0.5, 1.0, harmful**0.5


def start_share(period: int) -> float:
    """g_s, the share of what waits that is bet on a fault that begins with the s-th period.

    h / ((s+h-1) (s+h)): all s = 1, 2, … together make 1.
    """
    return _SOON / ((period + _SOON - 1) * (period + _SOON))


def waiting(periods: int) -> float:
    """What still waits after so many periods: 1 - g_1 - … - g_s."""
    return _SOON / (_SOON + periods)
