"""Assess all runs of a release together with the last promoted release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from pipeline.gates.load.limits import (
    FAILURES,
    attributed,
    exceeded_in_every_run,
    machine,
    sentences,
)
from pipeline.gates.load.regression import growths, is_blind, regressions, suspected
from pipeline.gates.load.summary import summary
from pipeline.gates.report.result import CouldNotRunError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from environments.gates import Load
    from pipeline.gates.load.limits import Limit
    from pipeline.gates.load.regression import Growth, Pair
    from pipeline.gates.report.findings import Finding


@dataclass(frozen=True)
class Assessment:
    """The assessment of all runs of a release."""

    growths: Sequence[Growth]
    slower: Sequence[Growth]
    """The growths that are regressions."""
    exceeded: Sequence[Sequence[Limit]]
    """The limits that were exceeded in every run."""
    attributed: Sequence[Finding]
    """Findings about the limits that the release exceeded, and not its machine."""
    broken: str | None
    """The failures of the release promoted last, if they are too many in every run."""
    is_blind: bool
    """Whether the comparison could not even find a release that takes twice as long."""
    is_suspicious: bool
    """Whether the release may be slower, without proof."""

    @classmethod
    def of(cls, runs: Sequence[Pair], limits: Load) -> Self:
        """Evaluate the runs."""
        found = growths(runs)
        slower = regressions(found, limits.comparison)
        return cls(
            found,
            slower,
            exceeded_in_every_run([each.release for each in runs], limits),
            attributed(runs, limits, is_slower=bool(slower)),
            next(
                (
                    measured[-1].sentence
                    for measured in exceeded_in_every_run([each.promoted for each in runs], limits)
                    if measured[-1].rule == FAILURES
                ),
                None,
            ),
            is_blind(runs, limits.comparison),
            suspected(found, limits.comparison),
        )

    @property
    def refuses(self) -> bool:
        """Return whether the release is proved to be too slow."""
        return bool(self.slower or self.attributed)

    @property
    def is_settled(self) -> bool:
        """Return whether another run would not change the result."""
        open_questions = (self.exceeded, self.broken, self.is_blind, self.is_suspicious)
        return self.refuses or not any(open_questions)

    def require_proof(self, runs: Sequence[Pair], commit: str, limits: Load) -> None:
        """Check that the runs prove the release to be good or bad.

        `commit` is the one promoted last.

        Raises:
            CouldNotRunError: the release is neither proved to be too slow nor within its limits.
        """
        if self.refuses:
            return
        last = runs[-1]
        about = machine(last.release, limits)
        if self.exceeded:
            raise CouldNotRunError(
                f"could not measure: {sentences(self.exceeded)} in each of {len(runs)} runs. That "
                f"does not prove the release to be worse than {commit[:7]}, promoted last and "
                f"measured at the same time ({summary(last.promoted)}); {about}"
            )
        if self.is_blind:
            raise CouldNotRunError(
                f"could not compare: in {len(runs)} runs a release that takes twice as long as "
                f"{commit[:7]}, promoted last, could not be distinguished from chance; {about}"
            )
