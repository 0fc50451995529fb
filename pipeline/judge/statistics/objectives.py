"""The test of several objectives, which share the rate of false rollbacks."""

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
"""Default share of each objective in the evidence, and so in the false-rollback rate.

Error responses are 4xx and 5xx together. Their share is the smallest, because 5xx responses also
count as failures.
"""

_LN10 = math.log(10)
_ROUNDING = 1e-9


class Objectives:
    """The test of several objectives together, such as failures and slow requests.

    The verdict is "rollback" once Σ w_j M_j >= 1/alpha, where M_j is the wealth of objective j's
    own test and w_j its weight, and stays so. Then P(ever "rollback") <= alpha for a canary that is
    no worse in any objective. Proof: given all earlier periods of all objectives, the expectation
    of each M_j does not grow in a period. The weights are constants that sum to 1, and expectations
    add up however the objectives depend on each other (a failed request is often a slow one). So
    Σ w_j M_j is an e-process, and Ville's inequality applies.

    M_j alone reaches the threshold at 1/(alpha w_j), so objective j's test has the rate alpha w_j.
    A fault in one objective needs log10(1/w_j) decades more evidence than if only this objective
    were tested; a fault in several objectives needs less.

    The verdict is "good" if the test of each objective is "good". If one objective is harmful, its
    own "good" is false, so P(ever "good") <= false_promotion_rate without a correction (an
    intersection-union test, Berger 1982).

    Args:
        weights: w_j by objective, above 0, with sum 1.
        false_rollback_rate: alpha of all objectives together; for the others see `CanaryTest`.

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
                raise ValueError(
                    f"weight of {name}: {weight!r} found; allowed is a number above 0 and up to 1"
                )
        if abs(math.fsum(weights.values()) - 1) > _ROUNDING:
            raise ValueError(f"weights: {dict(weights)} found; allowed are weights with sum 1")
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
        """Add a closed period: by objective, the counts of the canary and of the stable version.

        Raises:
            ValueError: the objectives are not those with weights.
        """
        if counts.keys() != self.tests.keys():
            raise ValueError(
                f"objectives: {', '.join(sorted(counts)) or 'none'} found;"
                f" allowed are counts of {', '.join(sorted(self.tests))}"
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
        """Return the verdict; see the class."""
        if self._rolled_back:
            return "rollback"
        good = all(test.verdict == "good" for test in self.tests.values())
        return "good" if good else "undecided"

    @property
    def requests_needed(self) -> int | None:
        """Return the expected number of canary requests before a verdict; see `CanaryTest`.

        It is the number before the first "rollback" or before the last "good" of the objectives,
        whichever is smaller.
        """
        if self.verdict != "undecided":
            return 0
        rollback = min(test.requests_to_rollback for test in self.tests.values())
        good = max(test.requests_to_good for test in self.tests.values())
        return whole_number(min(rollback, good))
