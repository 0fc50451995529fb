"""Assess all runs of a release together with the last promoted release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from pipeline.gates.load.limits import (
    FAILURES,
    blamed,
    crossed_in_every,
    machine,
    sentences,
    summary,
)
from pipeline.gates.load.regression import growths, is_blind, regressions, suspected
from pipeline.gates.report.result import CouldNotRunError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from environments.gates import Load
    from pipeline.gates.load.limits import Limit
    from pipeline.gates.load.regression import Growth, Pair
    from pipeline.gates.report.findings import Finding


@dataclass(frozen=True)
class Assessment:
    """What all runs together say of a release."""

    growths: Sequence[Growth]
    slower: Sequence[Growth]
    """The growths that are regressions."""
    crossed: Sequence[Sequence[Limit]]
    """The limits that no run was within."""
    blamed: Sequence[Finding]
    """Those that the release crossed by itself."""
    broken: str | None
    """What the release promoted last answers in every run, if that is too many errors."""
    is_blind: bool
    """Whether even a release that takes twice as long would have gone unnoticed."""
    is_suspicious: bool
    """Whether the release may be slower, without proof of it."""

    @classmethod
    def of(cls, runs: Sequence[Pair], limits: Load) -> Self:
        """Evaluate the runs."""
        found = growths(runs)
        slower = regressions(found, limits.comparison)
        return cls(
            found,
            slower,
            crossed_in_every([each.release for each in runs], limits),
            blamed(runs, limits, is_slower=bool(slower)),
            next(
                (
                    measured[-1].sentence
                    for measured in crossed_in_every([each.promoted for each in runs], limits)
                    if measured[-1].rule == FAILURES
                ),
                None,
            ),
            is_blind(runs, limits.comparison),
            suspected(found, limits.comparison),
        )

    @property
    def refuses(self) -> bool:
        """Whether the release is proved to be too slow."""
        return bool(self.slower or self.blamed)

    @property
    def is_settled(self) -> bool:
        """Whether another run would change nothing."""
        open_questions = (self.crossed, self.broken, self.is_blind, self.is_suspicious)
        return self.refuses or not any(open_questions)

    def require_proof(self, runs: Sequence[Pair], commit: str, limits: Load) -> None:
        """Check that the runs prove something.

        `commit` is the one promoted last.

        Raises:
            CouldNotRunError: the release is neither proved to be too slow nor within its limits.
        """
        if self.refuses:
            return
        last = runs[-1]
        about = machine(last.release, limits)
        if self.crossed:
            raise CouldNotRunError(
                f"could not measure: {sentences(self.crossed)} in each of {len(runs)} runs. That "
                f"does not prove the release to be worse than {commit[:7]}, promoted last and sent "
                f"the same in the same seconds ({summary(last.promoted)}); {about}"
            )
        if self.is_blind:
            raise CouldNotRunError(
                f"could not compare: in {len(runs)} runs a release that takes twice as long as "
                f"{commit[:7]}, promoted last, could not be distinguished from chance; {about}"
            )
