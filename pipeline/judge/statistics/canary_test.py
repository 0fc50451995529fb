"""The test of one objective: is the canary worse than the stable version, or good?

Comparison. In each closed period both versions answered requests of the same traffic, and some of
these requests were bad. Given the total of bad requests, the number J that falls to the canary by
chance has the hypergeometric distribution, whatever the common failure rate was. An odds ratio ψ
tilts this distribution (`hypergeometric`). For ψ > ψ0, the factor e_ψ = p_ψ(J) / p_ψ0(J) has
expectation 1 at odds ratio ψ0 and at most 1 below it, because e_ψ increases with J, and J with the
odds ratio. So e_ψ is an e-value of the period. Products over periods, and weighted sums of such
products over ψ, are e-processes (`eprocess`). An e-process may be evaluated after every period
without limit: P(ever >= 1/alpha) <= alpha (Ville 1939).

This is the always-valid test of Johari, Pekelis and Walsh (arXiv 1512.04922) in the form for counts
of Lindon and Malek (NeurIPS 2022). It is conditioned on the period's totals, so that it is exact
for one request as for a million; factors multiply as those of Turner, Ly and Grünwald for
contingency tables (arXiv 2106.02693). Latency is tested as a count, too: requests slower than a
quantile known beforehand, instead of a whole distribution (Howard and Ramdas, arXiv 1906.09712).

Assumptions. If the versions are equal: each request goes to the canary at random, independently of
the others. The hypergeometric distribution then holds for any mix of requests that both versions
would answer alike, common causes and bursts included. If the versions differ within the tolerance:
the requests of a period fail independently, at one rate for each version. Clients that retry many
times and always reach the same version violate both assumptions.
"""

from __future__ import annotations

import math

from pipeline.judge.statistics import bounds
from pipeline.judge.statistics.bets import (
    BETTER_SHARES,
    FROM_THE_START,
    WORSE,
    WORSE_SHARES,
    better,
)
from pipeline.judge.statistics.boosting import log_boost
from pipeline.judge.statistics.eprocess import LateBets, WholeBets, log_sum
from pipeline.judge.statistics.hypergeometric import FailureSplit
from pipeline.judge.statistics.outlook import Outlook

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from pipeline.judge.statistics.counts import Counts

    Verdict = Literal["rollback", "good", "undecided"]

_LN10 = math.log(10)


class CanaryTest:
    """A sequential test that may be evaluated after every period, without limit.

    The verdict is "rollback" once the wealth of the bets against "the canary is no worse"
    (`late_evidence`) reaches 1/false_rollback_rate, and stays so. Hence
    P(ever "rollback") <= false_rollback_rate for a canary whose odds of failing are, in every
    period, at most `tolerance` times the stable version's.

    Otherwise it is "good" while the wealth of the bets against "the canary is harmful"
    (`harmless_evidence`) is at least 1/false_promotion_rate. Hence
    P(ever "good") <= false_promotion_rate for a canary whose odds of failing are, in every period,
    at least `harmful` times as high. "good" describes the canary's whole time so far: a canary
    that became harmful late may still be "good" until "rollback" overrides it.

    The wealth against "no worse" is bet in two parts. 80 % is bet on faults that exist from the
    first period on. 20 % is bet, in shares g_s = 10/((s+9)(s+10)), on faults that begin with the
    s-th period in which a request failed, s = 1, 2, … (`bets`). To find a fault that begins with
    that period takes the evidence for a fault from the start and at most log10(0.8 / (0.2 g_s))
    decades more: 2.2 at s = 10, 2.5 at 20, 2.8 at 30, in addition to the 2 for alpha = 1 %. This
    cost grows like the logarithm of the time (Lorden 1971). Bets on neighbouring periods add up:
    in simulations the mean delay was 1.5 times that of a fault from the start for a fault that
    began at minute 10, and 1.7 times for minute 20 or 30.

    A period in which a version served no request, or in which no request or every request failed,
    changes nothing.

    Args:
        false_rollback_rate: alpha, above 0 and below 1.
        tolerance: the odds ratio of failing, canary to stable, up to which a canary is no worse; at
            least 1.
        harmful: the odds ratio from which a canary is harmful; above `tolerance`.
        false_promotion_rate: above 0 and below 1.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        *,
        false_rollback_rate: float = 0.01,
        tolerance: float = 1.0,
        harmful: float = 2.0,
        false_promotion_rate: float = 0.05,
    ) -> None:
        bounds.rate("false_rollback_rate", false_rollback_rate)
        bounds.rate("false_promotion_rate", false_promotion_rate)
        bounds.odds_ratios(tolerance, harmful)
        self._goal = -math.log(false_rollback_rate)
        self._good = -math.log(false_promotion_rate)
        self._tolerance, self._harmful = tolerance, harmful
        self._worse = tuple(tolerance * each for each in WORSE)
        self._better = better(harmful)
        self._odds = tuple(sorted({tolerance, harmful, *self._worse, *self._better}))
        self._whole = WholeBets([math.log(FROM_THE_START * each) for each in WORSE_SHARES])
        self._late = LateBets([math.log((1 - FROM_THE_START) * each) for each in WORSE_SHARES])
        self._harmless = WholeBets([math.log(each) for each in BETTER_SHARES])
        self._log_boost = 0.0
        self._rolled_back = False
        self._outlook = Outlook()

    def observe(self, *, canary: Counts, stable: Counts) -> None:
        """Add a closed period of both versions."""
        self._outlook.observe(canary, stable)
        failures = canary.failures + stable.failures
        if not (canary.requests and stable.requests):
            return
        if not 0 < failures < canary.requests + stable.requests:
            return
        split = FailureSplit(canary.requests, stable.requests, failures, self._odds)
        self._late.begin()
        if not self._rolled_back:
            self._log_boost += self._boost(split)
        log_e = [split.log_e(canary.failures, psi, self._tolerance) for psi in self._worse]
        self._whole.settle(log_e)
        self._late.settle(log_e)
        self._harmless.settle(
            [split.log_e(canary.failures, psi, self._harmful) for psi in self._better]
        )
        self._rolled_back = self._rolled_back or self._log_deciding >= self._goal

    def _boost(self, split: FailureSplit) -> float:
        """Return the log of the period's boost, which does not depend on the observed split."""
        wealth = self._log_wealth
        return log_boost(
            split,
            self._tolerance,
            {psi: math.exp(log - wealth) for psi, log in zip(self._worse, self._logs, strict=True)},
            math.exp(self._log_waiting - wealth),
            self._goal - self._log_deciding,
        )

    @property
    def _logs(self) -> list[float]:
        """Return the log of the wealth bet on each odds ratio, over all starts of the fault."""
        return [
            log_sum([whole, late])
            for whole, late in zip(self._whole.logs, self._late.logs, strict=True)
        ]

    @property
    def _log_waiting(self) -> float:
        return math.log(1 - FROM_THE_START) + self._late.log_waiting

    @property
    def _log_wealth(self) -> float:
        return log_sum([*self._logs, self._log_waiting])

    @property
    def _log_deciding(self) -> float:
        return self._log_wealth + self._log_boost

    @property
    def evidence(self) -> float:
        """log10 of the e-value against "the canary is no worse" from the first period on.

        It does not depend on the order of the periods, to the bit. One more failure of the canary
        never lowers it, one more failure of the stable version never raises it; one more success
        of the canary never raises it, one more success of the stable version never lowers it.
        (Proof: a normaliser Z(ψ) of k failures is the k-th elementary symmetric polynomial of
        `canary` times ψ and `stable` times 1. By Newton's inequalities the ratio of the (k+1)-th
        to the k-th increases with ψ, and its ratio to ψ decreases; each claim is one of these for
        log e_ψ = J log(ψ/ψ0) - log Z(ψ) + log Z(ψ0).)
        """
        return log_sum(self._whole.logs) / _LN10

    @property
    def late_evidence(self) -> float:
        """log10 of the e-value that decides: against "no worse", over all starts of the fault.

        It is never less than `evidence`, which it contains. It is boosted (`boosting`), so it
        depends on the threshold and on the order of the periods.
        """
        return self._log_deciding / _LN10

    @property
    def harmless_evidence(self) -> float:
        """log10 of the e-value against "the canary is harmful" from the first period on."""
        return log_sum(self._harmless.logs) / _LN10

    @property
    def verdict(self) -> Verdict:
        """Return the verdict; see the class."""
        if self._rolled_back:
            return "rollback"
        return "good" if log_sum(self._harmless.logs) >= self._good else "undecided"

    @property
    def requests_needed(self) -> int | None:
        """Return the expected number of canary requests before a verdict; 0 if there is one.

        It assumes that both versions continue as observed (see `Outlook`). None if it is unknown:
        until both versions have served and a request has failed.
        """
        if self.verdict != "undecided":
            return 0
        return whole_number(min(self.requests_to_rollback, self.requests_to_good))

    @property
    def requests_to_rollback(self) -> float:
        """Return the expected number of canary requests before "rollback"; may be infinite."""
        logs = [log + self._log_boost for log in self._logs]
        return self._outlook.requests(self._goal, logs, self._worse, self._tolerance)

    @property
    def requests_to_good(self) -> float:
        """Return the expected number of canary requests before "good"; may be infinite."""
        return self._outlook.requests(self._good, self._harmless.logs, self._better, self._harmful)


def whole_number(requests: float) -> int | None:
    """Round a number of requests up; None if it is infinite."""
    return None if math.isinf(requests) else math.ceil(requests)
