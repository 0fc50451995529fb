"""The rehearsal's check of each act's end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from typing import TYPE_CHECKING, Any, get_args

import pytest
from rich.console import Console

from console.aws.deployed import Serving
from console.aws.request_counts import RequestCounts
from console.rehearsal.result import Rehearsal, Result
from console.rehearsal.screen import summary
from console.release.canary import HOOK_FAILED, Canary
from console.release.executions import Execution
from console.release.promotion import Outcome
from pipeline.gates.report.gate_report import GateReport
from pipeline.judge.statistics.judging import Verdict
from service.delivery.rehearsal import ACTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.judge.statistics.record import Record

START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
ACT = {act.name: act for act in ACTS}
BAD = ACT["bad-release"]
RULE = "p50-regression"
RUN = Execution("e1234567-89", "Failed", "", "c0ffee", rollback=False, started=START, updated=START)


@pytest.fixture
def rolled_back(decided: Callable[..., Record]) -> Result:
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
        traffic=RequestCounts(800, 40, 80, 40),
        record=decided(),
    )
    outcome = Outcome(
        ending="rolled_back",
        sentence="",
        commit="c0ffee",
        executions=(RUN,),
        gate=None,
        reports=(),
        canary=canary,
        at=START,
        wall=10.0,
        pace=60.0,
    )
    serving = Serving("2", "decaf0", {"2": 1.0})
    return Result(BAD, outcome, serving, serving, 10.0)


def test_a_bad_release_must_be_stopped_by_the_judge_and_reported_so(rolled_back: Result) -> None:
    assert rolled_back.problems == ()


def test_the_judge_may_end_the_bake_before_its_alarm_does(rolled_back: Result) -> None:
    """Then all traffic was on the new version: its share has no limit in a bake."""
    outcome = rolled_back.outcome
    assert outcome.canary is not None
    canary = replace(
        outcome.canary,
        status="Failed",
        stopped_by=None,
        code=HOOK_FAILED,
        bake_began=START,
        weights=((1.0, 10.0), (200.0, 100.0), (300.0, 0.0)),
    )
    found = replace(rolled_back, outcome=replace(outcome, canary=canary))
    assert found.problems == ()
    assert found.document()["reason"] == {"verdict": "rollback"}
    assert "stopped by the judge's verdict rollback." in _summary(found)
    undecided = replace(canary, record=None)
    (problem,) = replace(rolled_back, outcome=replace(outcome, canary=undecided)).problems
    assert problem == "neither an alarm nor the judge stopped it"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"stopped_by": None}, "neither an alarm nor the judge stopped it"),
        (
            {"stopped_by": "files-prod-version-3-failures"},
            "the alarm files-prod-version-3-failures stopped it, expected "
            "files-prod-version-3-evidence",
        ),
        ({"record": None}, "the judge left no record of it"),
        ({"weights": ((1.0, 100.0),)}, "it had 100 % of the traffic, allowed 10 %"),
        ({"traffic": RequestCounts(800, 0, 80, 0)}, "no request to the new version failed"),
    ],
)
def test_other_problems_of_a_bad_release(
    rolled_back: Result, change: dict[str, Any], problem: str
) -> None:
    outcome = rolled_back.outcome
    assert outcome.canary is not None
    changed = replace(outcome, canary=replace(outcome.canary, **change))
    assert replace(rolled_back, outcome=changed).problems == (problem,)


def test_a_contradicting_record_is_a_problem(
    rolled_back: Result, decided: Callable[..., Record]
) -> None:
    outcome = rolled_back.outcome
    assert outcome.canary is not None
    lies = replace(decided((80, 0)), verdict="rollback")
    changed = replace(outcome, canary=replace(outcome.canary, record=lies))
    (problem,) = replace(rolled_back, outcome=changed).problems
    assert problem == "the replay of the judge's record has another verdict"


def test_a_rollback_is_reported_with_its_alarm(rolled_back: Result) -> None:
    assert rolled_back.document()["reason"] == {"alarm": "files-prod-version-3-evidence"}
    assert "stopped by the alarm files-prod-version-3-evidence." in _summary(rolled_back)


@pytest.fixture
def promoted(rolled_back: Result, decided: Callable[..., Record]) -> Result:
    """A good release with a verdict of no worse."""
    canary = rolled_back.outcome.canary
    assert canary is not None
    judged = replace(decided(), verdict="good")
    canary = replace(canary, status="Succeeded", stopped_by=None, record=judged)
    outcome = replace(rolled_back.outcome, ending="promoted", canary=canary, executions=(RUN,))
    after = Serving("3", "c0ffee", {"3": 1.0})
    return replace(rolled_back, act=ACT["good-release"], outcome=outcome, after=after)


def test_a_promotion_is_reported_with_the_judges_verdict(promoted: Result) -> None:
    assert promoted.problems == ()
    assert promoted.document()["reason"] == {"verdict": "good"}
    assert "good-release: the judge's verdict is good." in _summary(promoted)


@pytest.mark.parametrize("verdict", get_args(Verdict))
def test_a_promotion_that_the_judge_condemns_is_a_problem(
    promoted: Result, decided: Callable[..., Record], verdict: Verdict
) -> None:
    problems = _with(promoted, record=replace(decided(), verdict=verdict)).problems
    if verdict in {"rollback", "inconsistent"}:
        assert problems == (f"the judge's verdict is {verdict}, which condemns it",)
    else:
        assert problems == ()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"record": None}, "the judge left no record of it"),
        ({"environment": "staging"}, "the judge left no record of it"),
        ({"stopped_by": "files-prod-heartbeat"}, "the alarm files-prod-heartbeat stopped it"),
    ],
)
def test_an_unjudged_or_alarm_stopped_promotion_is_a_problem(
    promoted: Result, change: dict[str, Any], problem: str
) -> None:
    assert _with(promoted, **change).problems == (problem,)


@pytest.fixture
def refused(rolled_back: Result) -> Result:
    """A slow release that the load gate refused."""
    reports = (
        GateReport("synthetic", "passed", "9 of 9"),
        GateReport("load", "refused", "p50 is 61 ms", "be faster", ("p95-regression", RULE)),
    )
    outcome = replace(
        rolled_back.outcome,
        ending="refused", gate="load", reports=reports, canary=None, executions=(RUN,),
    )  # fmt: skip
    return replace(rolled_back, act=ACT["refused-release"], outcome=outcome)


def test_a_refusal_is_reported_with_its_gate_and_rules(refused: Result) -> None:
    assert refused.problems == ()
    assert refused.document()["reason"] == {"gate": "load", "rules": ["p95-regression", RULE]}
    assert f"the gate load refused it by p95-regression, {RULE}." in _summary(refused)


@pytest.mark.parametrize(
    ("gate", "rules", "problem"),
    [
        ("synthetic", (RULE,), "the gate synthetic refused it, expected load"),
        ("load", (), f"load refused it by no rule, expected {RULE}"),
        ("load", ("p50", "rate"), f"load refused it by p50, rate, expected {RULE}"),
    ],
)
def test_a_refusal_by_another_gate_or_rule_is_a_problem(
    refused: Result, gate: str, rules: tuple[str, ...], problem: str
) -> None:
    reports = (GateReport(gate, "refused", "…", None, rules),)
    outcome = replace(refused.outcome, gate=gate, reports=reports)
    assert replace(refused, outcome=outcome).problems == (problem,)


def _with(result: Result, **change: Any) -> Result:
    canary = result.outcome.canary
    assert canary is not None
    return replace(result, outcome=replace(result.outcome, canary=replace(canary, **change)))


def _summary(result: Result) -> str:
    shown = Console(file=StringIO(), width=200, color_system=None)
    shown.print(summary(Rehearsal(60.0, 9.0, (result,), None)))
    assert isinstance(shown.file, StringIO)
    return shown.file.getvalue()
