"""Late metrics neither roll back good releases nor hide bad ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.arrivals import Outcome
from benchmarks.delays import KINDS, Row, played, table

if TYPE_CHECKING:
    from pipeline.judge.arrival import Source


def test_good_releases_are_promoted_and_bad_ones_found_with_all_metrics_late() -> None:
    late: dict[Source, float] = {"the service": 180.0, "Lambda": 180.0, "API Gateway": 180.0}
    endings = {kind: [played((kind, late, seed)) for seed in range(4)] for kind in KINDS}
    row = Row("all", 180, endings)
    assert row.false_rollbacks == 0
    assert {each.stopped_by for each in endings["crashes"]} <= {"Evidence", "bake"}
    assert all(each.unjudged == 0 for each in endings["good"])


def test_the_table_has_a_row_for_each() -> None:
    promoted, stopped = Outcome(None, 8.5, 1, 0), Outcome("Evidence", 4.0, 30, 5)
    endings = {"good": [promoted] * 3 + [stopped], "crashes": [stopped], "fails": [promoted]}
    row = Row("all", 75, endings)
    assert row.false_rollbacks == 1
    text = table([row])
    assert text.count("\n") == 2
    assert "| all | 75 s | 25.00% (" in text
    assert "| 100.0% | 4.0 min | 30 | 0.0% | 0.0 min | 1 |" in text
