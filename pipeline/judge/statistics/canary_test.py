"""The test of one objective: is the canary worse than the stable version, or good?

What is compared. In each closed period both versions answered some requests of the same traffic,
and some of all were bad. Given how many, it is known which share of them falls to the canary by
chance: the hypergeometric distribution, whatever the common failure rate did meanwhile. An odds
ratio ψ tilts it (`hypergeometric`). With p(J) for the canary's bad requests J, the factor
e_ψ = p_ψ(J) / p_ψ0(J) has expectation 1 where the odds ratio is ψ0 and at most 1 below it, for
ψ > ψ0: e_ψ rises with J, and J with the odds ratio. It is an e-value of the period; products over
periods, and weighted sums of such products over ψ, are e-processes (`eprocess`), which may be
looked at after every period, for ever: P(ever >= 1/alpha) <= alpha (Ville 1939).

This is the always-valid test of Johari, Pekelis and Walsh (arXiv 1512.04922) in the form of Lindon
and Malek's for counts (NeurIPS 2022), conditioned on the period's totals so that it is exact for
one request as for a million, with factors that multiply as Turner, Ly and Grünwald's for
contingency tables do (arXiv 2106.02693). The same count serves latency: requests slower than a
quantile known beforehand, in place of a whole distribution (Howard and Ramdas, arXiv 1906.09712).

What is assumed. Where the versions are alike: that which requests go to the canary is drawn at
random, request by request. The hypergeometric distribution then holds for any mix of requests that
would have fared alike on either version, with common causes, bursts and all. Where they differ
within the tolerance: that the requests of a period fail independently, at one rate a version. A
client that retries many times, always at the same version, breaks either.
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
    """A test that may be looked at after every period, for ever.

    "rollback" once the wealth bet against "the canary is no worse" (`late_evidence`) reaches
    1/false_rollback_rate; it stays. So P(ever "rollback") <= false_rollback_rate for a canary
    whose odds of failing are, in every period, at most `tolerance` times the stable version's.

    "good" while the wealth bet against "the canary is harmful" (`harmless_evidence`) is at least
    1/false_promotion_rate, unless "rollback". So P(ever "good") <= false_promotion_rate for a
    canary whose odds of failing are, in every period, at least `harmful` times as high. It is
    said of the canary's whole time so far: of one that turned harmful late it may still be said
    until "rollback" overrides it.

    The wealth against "no worse" is bet in two parts. Of 80 % the bets hold from the first period
    on. The other 20 % is bet, in shares g_s = 10/((s+9)(s+10)), on faults that begin with the s-th
    period in which anything failed, s = 1, 2, … (`bets`). A fault that begins with that period is
    found with as much evidence after its beginning as one from the start, and at most
    log10(0.8 / (0.2 g_s)) decades more: 2.2 at s = 10, 2.5 at 20, 2.8 at 30, beside the 2 that
    alpha = 1 % needs. That is the price of looking for a fault at every time, and it grows like
    the logarithm of the time (Lorden 1971). Neighbouring beginnings help each other: in
    simulations the mean delay was 1.5 times that of a fault from the start for one that began at
    minute 10, 1.7 times at minute 20 or 30.

    Periods in which either version served no request, nothing failed or everything did, change
    nothing.

    Args:
        false_rollback_rate: alpha, above 0 and below 1.
        tolerance: the odds ratio of failing, canary to stable, up to which it is no worse; >= 1.
        harmful: the odds ratio from which it is not good; above `tolerance`.
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
        """Take in one more closed period of both versions."""
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
        """The log of the period's boost, which is known before its split is."""
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
        """The log of the wealth bet on each odds ratio, whenever the fault began."""
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

        The order of the periods changes nothing, to the bit. One more failure of the canary never
        lowers it, one more of the stable version never raises it; one more success never raises
        it on the canary, never lowers it on the stable version. (Proof: a normaliser Z(ψ) of k
        failures is the k-th elementary symmetric polynomial of `canary` times ψ and `stable`
        times 1. Newton's inequalities make the ratio of the (k+1)-th to the k-th rise with ψ, and
        its ratio to ψ fall; each claim is one of these for log e_ψ = J log(ψ/ψ0) - log Z(ψ) +
        log Z(ψ0).)
        """
        return log_sum(self._whole.logs) / _LN10

    @property
    def late_evidence(self) -> float:
        """log10 of the e-value that decides: against "no worse", whenever the fault began.

        Never less than `evidence`, which it contains. What would be won beyond the line is won
        before it instead (`boosting`), so it depends on the line and on the order of the periods.
        """
        return self._log_deciding / _LN10

    @property
    def harmless_evidence(self) -> float:
        """log10 of the e-value against "the canary is harmful" from the first period on."""
        return log_sum(self._harmless.logs) / _LN10

    @property
    def verdict(self) -> Verdict:
        """What is to be done now; see the class."""
        if self._rolled_back:
            return "rollback"
        return "good" if log_sum(self._harmless.logs) >= self._good else "undecided"

    @property
    def requests_needed(self) -> int | None:
        """How many more canary requests to expect before a verdict; 0 when there is one.

        If both versions go on as they were seen (see `Outlook`). None when it cannot be said:
        before both served and one failed.
        """
        if self.verdict != "undecided":
            return 0
        return whole_number(min(self.requests_to_rollback, self.requests_to_good))

    @property
    def requests_to_rollback(self) -> float:
        """Canary requests to expect before "rollback"; infinite when none is to be expected."""
        logs = [log + self._log_boost for log in self._logs]
        return self._outlook.requests(self._goal, logs, self._worse, self._tolerance)

    @property
    def requests_to_good(self) -> float:
        """Canary requests to expect before "good"; infinite when it is not to be expected."""
        return self._outlook.requests(self._good, self._harmless.logs, self._better, self._harmful)


def whole_number(requests: float) -> int | None:
    """Requests as a number to show; None for infinitely many."""
    return None if math.isinf(requests) else math.ceil(requests)
