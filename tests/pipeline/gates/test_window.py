from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from environments.schema import Freeze, load
from pipeline.gates import window
from pipeline.gates.report.result import CouldNotRunError

if TYPE_CHECKING:
    from environments.schema import Environment


def _frozen(begins: int, ends: int) -> Environment:
    now = datetime.now(UTC)
    freeze = Freeze.model_validate(
        {
            "from": now + timedelta(days=begins),
            "until": now + timedelta(days=ends),
            "reason": "the holidays",
        }
    )
    return load("prod").model_copy(update={"freeze": (freeze,)})


def test_a_release_may_start_outside_every_freeze(aws: str) -> None:
    assert window.run().status == "passed"
    assert window.run(_frozen(1, 2)).status == "passed"
    assert window.run(_frozen(-2, -1)).status == "passed"


def test_a_freeze_refuses_and_names_its_end(aws: str) -> None:
    frozen = _frozen(-1, 1)
    outcome = window.run(frozen)
    until = frozen.freeze[0].until.isoformat()
    assert outcome.status == "refused"
    assert outcome.sentence == f"prod is frozen until {until}: the holidays"


def test_without_the_current_time_the_gate_refuses(no_aws: None) -> None:
    with pytest.raises(CouldNotRunError, match="AWS's time cannot be read: Could not connect"):
        window.run()
