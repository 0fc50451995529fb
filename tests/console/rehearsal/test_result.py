"""What the rehearsal takes for an act that ended as it should."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from console.canary import Canary, Traffic
from console.deployed import Serving
from console.promotion import Outcome
from console.rehearsal.acts import ACTS
from console.rehearsal.result import Result

START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
BAD = next(act for act in ACTS if act.name == "bad-release")


@pytest.fixture
def rolled_back(decided: Any) -> Result:
    """A bad release that the judge stopped."""
    canary = Canary(
        environment="prod",
        deployment_id="d-SHIFT",
        status="Stopped",
        began=START,
        current_version="2",
        target_version="3",
        stopped_by="files-prod-version-3-evidence",
        weights=((1.0, 10.0), (300.0, 0.0)),
        traffic=Traffic(800, 40, 80, 40),
        record=decided(),
    )
    outcome = Outcome(
        ending="rolled_back",
        sentence="",
        commit="c0ffee",
        executions=(),
        rollback=None,
        gate=None,
        answers=(),
        canary=canary,
        at=START,
        wall=10.0,
        pace=60.0,
    )
    serving = Serving("2", "decaf0", {"2": 1.0})
    return Result(BAD, outcome, serving, serving, 10.0)


def test_the_judge_is_to_stop_it_and_to_say_so_again(rolled_back: Result) -> None:
    assert rolled_back.problems == ()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"stopped_by": None}, "no alarm stopped it"),
        (
            {"stopped_by": "files-prod-version-3-failures"},
            "the alarm files-prod-version-3-failures stopped it, expected "
            "files-prod-version-3-evidence",
        ),
        ({"record": None}, "the judge left no record of it"),
        ({"weights": ((1.0, 100.0),)}, "it had 100 % of the traffic, allowed 10 %"),
        ({"traffic": Traffic(800, 0, 80, 0)}, "no request to the new version failed"),
    ],
)
def test_what_else_is_a_problem(rolled_back: Result, change: dict[str, Any], problem: str) -> None:
    outcome = rolled_back.outcome
    assert outcome.canary is not None
    changed = replace(outcome, canary=replace(outcome.canary, **change))
    assert replace(rolled_back, outcome=changed).problems == (problem,)


def test_a_record_that_says_otherwise_is_a_problem(rolled_back: Result, decided: Any) -> None:
    outcome = rolled_back.outcome
    assert outcome.canary is not None
    lies = replace(decided((80, 0)), verdict="rollback")
    changed = replace(outcome, canary=replace(outcome.canary, record=lies))
    (problem,) = replace(rolled_back, outcome=changed).problems
    assert problem == "the judge's record, judged again, comes to another verdict"
