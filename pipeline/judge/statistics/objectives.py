"""Several objectives of one canary, which share the rate of false rollbacks."""

from __future__ import annotations

import math

from pipeline.judge.statistics import bounds
from pipeline.judge.statistics.canary_test import CanaryTest, whole_number
from pipeline.judge.statistics.eprocess import log_sum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.judge.statistics.canary_test import Verdict
    from pipeline.judge.statistics.counts import Counts

SHARES = {"failures": 0.4, "slow-requests": 0.4, "error-responses": 0.2}
"""The share of the evidence, and so of the false-rollback rate, that each objective has by default.

Error responses are 4xx and 5xx together. They have the least, since of what they find the 5xx are
found as failures, too.
"""

_LN10 = math.log(10)


class Objectives:
    """Failures, slow requests and the like of one canary, judged together.

    "rollback" once Σ w_j M_j >= 1/alpha, where M_j is the wealth of objective j's own test and w_j
    its weight; it stays. Then P(ever "rollback") <= alpha for a canary that is no worse in any
    objective. Proof: given all that was seen of all objectives before a period, each M_j is
    expected not to grow in it; the weights are constants that sum to 1, and expectations add up
    however the objectives depend on each other (a failed request is often a slow one). So
    Σ w_j M_j is an e-process, and Ville's inequality holds for it.

    M_j alone reaches the line at 1/(alpha w_j), so that is the rate at which objective j's test is
    made: a fault in one objective needs log10(1/w_j) decades more evidence than if it were judged
    alone, a fault that shows in several needs less.

    "good" when each objective's test says so: if one is harmful, then "good" was wrongly said of
    that one, so P(ever "good") <= false_promotion_rate without sharing it out (an
    intersection-union test, Berger 1982).

    Args:
        weights: w_j by objective, above 0, together 1.
        false_rollback_rate: alpha of all together; this and the others as of `CanaryTest`.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        weights: Mapping[str, float],
        *,
        false_rollback_rate: float = 0.01,
        tolerance: float = 1.0,
        harmful: float = 2.0,
        false_promotion_rate: float = 0.05,
    ) -> None:
        bounds.rate("false_rollback_rate", false_rollback_rate)
        for name, weight in weights.items():
            if type(weight) not in {int, float} or not 0 < weight <= 1:
                raise ValueError(f"weight of {name}: {weight!r} found; allowed is up to 1, above 0")
        if abs(math.fsum(weights.values()) - 1) > 1e-9:  # noqa: PLR2004  # as 1/3 three times has
            raise ValueError(f"weights: {dict(weights)} found; allowed are some that sum to 1")
        self.weights = dict(weights)
        self.tests = {
            name: CanaryTest(
                false_rollback_rate=false_rollback_rate * weight,
                tolerance=tolerance,
                harmful=harmful,
                false_promotion_rate=false_promotion_rate,
            )
            for name, weight in weights.items()
        }
        self._goal = -math.log10(false_rollback_rate)
        self._rolled_back = False

    def observe(self, counts: Mapping[str, tuple[Counts, Counts]]) -> None:
        """Take in one more closed period: by objective, the canary's counts and the stable's.

        Raises:
            ValueError: other objectives are given than there are weights for.
        """
        if counts.keys() != self.tests.keys():
            raise ValueError(
                f"objectives: {', '.join(sorted(counts)) or 'none'} found;"
                f" allowed are {', '.join(sorted(self.tests))}, each with counts"
            )
        for name, (canary, stable) in counts.items():
            self.tests[name].observe(canary=canary, stable=stable)
        self._rolled_back = self._rolled_back or self.late_evidence >= self._goal

    @property
    def evidence(self) -> float:
        """log10 of the weighted average of the objectives' e-values; see `CanaryTest.evidence`."""
        return self._average({name: test.evidence for name, test in self.tests.items()})

    @property
    def late_evidence(self) -> float:
        """log10 of the weighted average that decides; see `CanaryTest.late_evidence`."""
        return self._average({name: test.late_evidence for name, test in self.tests.items()})

    def _average(self, evidence: dict[str, float]) -> float:
        logs = [math.log(self.weights[name]) + each * _LN10 for name, each in evidence.items()]
        return log_sum(logs) / _LN10

    @property
    def verdict(self) -> Verdict:
        """What is to be done now; see the class."""
        if self._rolled_back:
            return "rollback"
        good = all(test.verdict == "good" for test in self.tests.values())
        return "good" if good else "undecided"

    @property
    def requests_needed(self) -> int | None:
        """How many more canary requests to expect before a verdict; see `CanaryTest`.

        The soonest rollback for one objective, or the latest "good", whichever comes first.
        """
        if self.verdict != "undecided":
            return 0
        rollback = min(test.requests_to_rollback for test in self.tests.values())
        good = max(test.requests_to_good for test in self.tests.values())
        return whole_number(min(rollback, good))
