from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks.cells import Cell
from benchmarks.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    MakeTraffic = Callable[..., Traffic]


@pytest.fixture
def make_traffic() -> MakeTraffic:
    """Return a maker of one release with the given counts; the default is calm."""

    def make(
        canary_bad: Sequence[int],
        *,
        requests: int | Sequence[int] = 100,
        stable_bad: Sequence[int] | int = 0,
        baseline_bad: Sequence[int] | int = 0,
        cell: Cell | None = None,
    ) -> Traffic:
        periods = len(canary_bad)

        def row(counts: int | Sequence[int]) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
            return np.broadcast_to(np.asarray(counts, np.int64), (1, periods)).copy()

        return Traffic(
            cell or Cell("regression", 10, 0.5, 0.01, 5.0, 1),
            row(requests),
            row(canary_bad),
            row(requests),
            row(stable_bad),
            row(requests),
            row(baseline_bad),
            np.full(periods, 0.01),
        )

    return make
