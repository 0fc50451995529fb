from __future__ import annotations

from typing import Any

import pytest

from pipeline.judge.statistics import Counts


def test_counts_have_a_readable_repr() -> None:
    assert repr(Counts(requests=61, failures=4)) == "Counts(requests=61, failures=4)"
    assert Counts(61, 4) == Counts(requests=61, failures=4)
    assert Counts(61, 4) != Counts(61, 5)
    assert Counts(0, 0) != (0, 0)
    assert len({Counts(61, 4), Counts(61, 4)}) == 1


@pytest.mark.parametrize("wrong", [-1, 1.0, 2.5, float("nan"), True, "7", None])
def test_an_invalid_count_is_rejected_by_name(wrong: Any) -> None:
    allowed = "allowed is a whole number from 0 on"
    with pytest.raises(ValueError, match=f"^requests: {wrong!r} found; {allowed}$"):
        Counts(requests=wrong, failures=0)
    with pytest.raises(ValueError, match=f"^failures: {wrong!r} found; {allowed}$"):
        Counts(requests=5, failures=wrong)


def test_more_failures_than_requests_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^failures: 6 found; allowed are at most as many as"):
        Counts(requests=5, failures=6)
