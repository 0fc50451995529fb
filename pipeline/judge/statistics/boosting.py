"""Sequential boosting: no wealth is won beyond the line (Fischer and Ramdas, arXiv 2410.16076).

A test that stops at wealth 1/alpha has no use for more. So a period's factor r(J), which is known
for each possible J before J is, may be replaced by min(b r(J), c), where c is the factor that just
reaches the line, for any b with E[min(b r(J), c)] <= 1 under the null hypothesis: what would be
won in vain is bet where it counts. The greatest such b is at least 1, so the line is reached no
later than without, and P(ever) <= alpha holds as before. Since min(b r, c) rises with J as r does,
the odds ratio on the null's edge is its hardest, as before.

What it brings: faults are found about 8 % sooner. What it takes: the rate of false rollbacks, a
third to a half of alpha without it, comes up to nearly all of it.
"""

from __future__ import annotations

import math
from bisect import bisect_left

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pipeline.judge.statistics.hypergeometric import FailureSplit

_IMPRECISION = 1e-11
"""More than the error of a probability that is summed up; taken off, so that b errs low."""

_HUGE = 700.0  # exp of more overflows


def log_boost(
    split: FailureSplit,
    null: float,
    shares: dict[float, float],
    idle: float,
    log_cap: float,
) -> float:
    """The log of b of a period, at least 0.

    Args:
        split: the distribution of J.
        null: the greatest odds ratio that is no worse.
        shares: by odds ratio, the share of the wealth that is bet on it.
        idle: the share that is bet on none; with the others it makes 1.
        log_cap: log c, above 0.
    """
    bets = [(psi, math.log(share)) for psi, share in shares.items() if share > 0]

    def factor(failures: int) -> float:
        logs = [share + split.log_e(failures, psi, null) for psi, share in bets]
        return idle + math.fsum([math.exp(min(log, _HUGE)) for log in logs])

    counts = range(split.least, split.most + 1)
    cap, boost = math.exp(min(log_cap, _HUGE)), 1.0
    while True:
        # b r(J) reaches c from `line` on; E = b E[r(J); J < line] + c P(J >= line) is then exact,
        # and for any other b no more than that.
        at = bisect_left(counts, cap / boost, key=factor)
        if at == len(counts):
            return math.log(boost)
        line = counts[at]
        won = cap * (1 - split.below(line, null) + _IMPRECISION)
        left = idle * split.below(line, null) + _IMPRECISION
        left += math.fsum([share * split.below(line, psi) for psi, share in shares.items()])
        better = (1 - won) / left
        # E[min(b r, c)] is concave in b: these are Newton's steps to its root, from below.
        if better <= boost:
            return math.log(boost)
        boost = better
