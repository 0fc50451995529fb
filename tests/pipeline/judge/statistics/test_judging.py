"""The decision over periods: verdicts, incidents, policies and outcomes."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.judge.statistics.counts import Counts
from pipeline.judge.statistics.judging import (
    Judged,
    Outcome,
    Verdict,
    judge,
    line,
    must_stop,
    outcome,
)
from pipeline.judge.statistics.periods import Discrepancy, Pair
from pipeline.judge.statistics.wording import rule as told_rule
from pipeline.judge.statistics.wording import sentence

if TYPE_CHECKING:
    from pipeline.judge.statistics.judging import Ending
    from pipeline.judge.statistics.periods import Incident, Parameters, Period, Undecided


def _judged(verdict: Verdict, *, incident: bool = False) -> Judged:
    return Judged((1.0,), verdict, None, incident, None, "failures")


def test_a_bad_canary_is_rolled_back_at_the_end_of_the_minute_that_shows_it(
    rule: Parameters, bad: list[Period]
) -> None:
    judged = judge(rule, bad)
    assert judged.verdict == "rollback"
    first = next(n for n, each in enumerate(judged.evidence) if each >= line(rule))
    assert judged.decided_at == bad[first].start + timedelta(minutes=1)
    assert judged.strongest == max(judged.evidence) >= line(rule) == pytest.approx(2)
    assert not judged.incident
    assert judged.objective == "failures"


def test_a_rollback_verdict_is_not_revoked(
    rule: Parameters, bad: list[Period], minute: Any
) -> None:
    decided = judge(rule, bad).decided_at
    better = [minute(number, (800, 0), (7200, 72)) for number in range(3, 9)]
    judged = judge(rule, [*bad, *better])
    assert judged.evidence[-1] < line(rule)
    assert (judged.verdict, judged.decided_at) == ("rollback", decided)


def test_slow_requests_condemn_a_canary_as_failures_do(rule: Parameters, minute: Any) -> None:
    judged = judge(rule, [minute(n, (8, 0), (72, 0), slow=(4, 0)) for n in range(3)])
    assert (judged.verdict, judged.objective) == ("rollback", "slow-requests")


def test_cold_starts_alone_roll_back_no_canary(rule: Parameters, minute: Any) -> None:
    cold = [replace(minute(n, (8, 0), (72, 0)), cold_starts=(8, 0)) for n in range(30)]
    assert judge(rule, cold).verdict != "rollback"


def test_a_fault_that_begins_late_is_found(rule: Parameters, minute: Any) -> None:
    healthy = [minute(n, (80, 0), (720, 2)) for n in range(30)]
    late = [minute(30 + n, (80, 8), (720, 2)) for n in range(3)]
    assert judge(rule, healthy).verdict != "rollback"
    judged = judge(rule, [*healthy, *late])
    assert judged.verdict == "rollback"
    assert judged.decided_at is not None
    assert judged.decided_at > late[0].start


@pytest.mark.parametrize("requests", [0, 1])
def test_without_requests_there_is_no_evidence(
    rule: Parameters, minute: Any, requests: int
) -> None:
    """Nor is a failure evidence if only one version has requests."""
    nothing = [minute(n, (0, 0), (requests, requests)) for n in range(20)]
    judged = judge(rule, nothing)
    assert judged.verdict == "undecided"
    assert judged.decided_at is None
    assert judged.evidence == (judged.evidence[0],) * 20
    assert judge(rule, []).verdict == "undecided"


def test_when_both_versions_fail_alike_the_canary_is_not_blamed(
    rule: Parameters, minute: Any
) -> None:
    before = [minute(n, (80, 0), (720, 4)) for n in range(5)]
    incident = [minute(5 + n, (80, 32), (720, 288)) for n in range(10)]
    judged = judge(rule, before + incident)
    assert judged.verdict != "rollback"
    assert judged.incident
    assert not judge(rule, before).incident


def test_a_change_of_the_canary_alone_is_no_incident(
    rule: Parameters, minute: Any, bad: list[Period]
) -> None:
    mends = [minute(n, (80, 0), (720, 288)) for n in range(5)]
    assert not judge(rule, mends).incident
    assert judge(rule, mends).verdict == "better"
    assert not judge(rule, bad).incident
    few = [minute(n, (4, 4), (49, 49)) for n in range(5)]
    assert not judge(rule, few).incident


@pytest.mark.parametrize(
    ("undecided", "incident", "judged", "over", "stops"),
    [
        ("promote", "continue", _judged("undecided"), True, False),
        ("promote", "continue", _judged("undecided", incident=True), True, False),
        ("promote", "stop", _judged("undecided", incident=True), False, True),
        ("promote", "stop", _judged("good", incident=True), False, True),
        ("rollback", "continue", _judged("undecided"), False, False),
        ("rollback", "continue", _judged("undecided"), True, True),
        ("rollback", "continue", _judged("good"), True, False),
        ("promote", "continue", _judged("rollback"), False, True),
        ("promote", "continue", _judged("inconsistent"), False, True),
        ("rollback", "stop", _judged("better"), True, False),
    ],
)
def test_blocked_promotions(
    rule: Parameters,
    undecided: Undecided,
    incident: Incident,
    judged: Judged,
    over: bool,
    stops: bool,
) -> None:
    parameters = replace(rule, undecided=undecided, incident=incident)
    assert must_stop(parameters, judged, over=over) == stops


@pytest.mark.parametrize(
    ("undecided", "incident", "judged", "ending", "came"),
    [
        ("promote", "continue", _judged("rollback"), "in progress", "in progress"),
        ("promote", "continue", _judged("rollback"), "stopped", "rolled back"),
        ("promote", "continue", _judged("rollback"), "succeeded", "promoted, then found bad"),
        ("promote", "continue", _judged("good"), "succeeded", "promoted"),
        ("promote", "continue", _judged("good"), "stopped", "stopped by another"),
        ("promote", "continue", _judged("undecided"), "succeeded", "promoted undecided"),
        ("promote", "continue", _judged("better"), "succeeded", "promoted"),
        ("promote", "continue", _judged("inconsistent"), "stopped", "stopped as inconsistent"),
        ("promote", "continue", _judged("undecided"), "stopped", "stopped by another"),
        ("rollback", "continue", _judged("undecided"), "stopped", "rolled back undecided"),
        ("rollback", "continue", _judged("good"), "stopped", "stopped by another"),
        ("promote", "stop", _judged("good", incident=True), "stopped", "stopped in an incident"),
        ("promote", "continue", _judged("good", incident=True), "stopped", "stopped by another"),
    ],
)
def test_outcomes(
    rule: Parameters,
    undecided: Undecided,
    incident: Incident,
    judged: Judged,
    ending: Ending,
    came: Outcome,
) -> None:
    parameters = replace(rule, undecided=undecided, incident=incident)
    assert outcome(parameters, judged, ending) == came


def test_a_release_that_repairs_a_failing_version_is_called_better(
    rule: Parameters, minute: Any
) -> None:
    """Neither version has slow requests, so latency adds no evidence."""
    repairs = [minute(n, (80, 0), (720, 144)) for n in range(5)]
    judged = judge(rule, repairs)
    assert (judged.verdict, judged.objective) == ("better", "failures")
    assert judged.decided_at is not None
    assert sentence(rule, repairs, judged, "promoted") == (
        "The new version is better: 0 of 400 (0.0%) of its requests failed, and 720 of 3600 "
        "(20.0%) of the version before."
    )
    slower = [minute(n, (80, 0), (720, 144), slow=(60, 0)) for n in range(5)]
    assert judge(rule, slower).verdict == "rollback"


def test_better_is_as_rarely_wrong_as_a_rollback(rule: Parameters, minute: Any) -> None:
    chance = random.Random(7)
    better = 0
    for _ in range(200):
        periods = []
        for number in range(10):
            bad = sum(chance.random() < 0.02 for _ in range(400))
            canary = sum(chance.random() < 0.1 for _ in range(bad))
            periods.append(minute(number, (40, canary), (360, bad - canary)))
        better += judge(rule, periods).verdict == "better"
    assert better <= 6  # at most 1 % of 200 is guaranteed: 7 or more has a chance of 0.5 %


def test_contradicted_counts_override_everything_but_a_rollback(
    rule: Parameters, bad: list[Period], minute: Any
) -> None:
    good = [minute(n, (800, 8), (7200, 72)) for n in range(20)]
    judged = judge(rule, good, inconsistent=True)
    assert (judged.verdict, judged.decided_at) == ("inconsistent", None)
    assert judge(rule, bad, inconsistent=True).verdict == "rollback"
    hidden = [Discrepancy("5xx responses", None, 0, 45, 7)]
    assert sentence(rule, good, judged, "stopped as inconsistent", "", hidden) == (
        "The service's own counts cannot be trusted: the versions report 0 5xx responses, but "
        "API Gateway counts 45 (allowed difference: 7)."
    )


def test_an_objective_without_a_limit_causes_no_incident(rule: Parameters, minute: Any) -> None:
    refused = Pair(Counts(80, 40), Counts(720, 360))
    periods = [
        replace(each, counts={**each.counts, "error-responses": refused})
        for each in (minute(n, (80, 0), (720, 1)) for n in range(5))
    ]
    shares = {"failures": 0.4, "slow-requests": 0.4, "error-responses": 0.2}
    judged = judge(replace(rule, objectives=shares), periods)
    assert (judged.verdict, judged.incident) == ("undecided", False)


def test_the_sentences(rule: Parameters, bad: list[Period], minute: Any) -> None:
    judged = judge(rule, bad)
    assert sentence(rule, bad, judged, "rolled back") == (
        "The new version is worse: 12 of 24 (50.0%) of its requests failed, and 0 of 216 (0.0%) "
        f"of the version before; evidence {judged.strongest:.2f} of 2.00."
    )
    assert sentence(rule, bad, _judged("undecided"), "stopped by another", "A person did.") == (
        "Stopped, but not by the judge: A person did."
    )
    assert sentence(rule, [], judge(rule, []), "promoted undecided") == (
        "Undecided: no request to the new version could be compared yet."
    )
    both = [minute(n, (80, 32), (720, 288)) for n in range(5)]
    assert sentence(rule, both, judge(rule, both), "promoted").startswith(
        "Both versions fail alike, which is no evidence against the new one: 160 of 400 (40.0%) of "
    )
    some = [minute(0, (80, 1), (720, 4))]
    undecided = judge(rule, some)
    for came, ends in (
        ("promoted undecided", "of 2.00; the environment's policy promotes it."),
        ("rolled back undecided", "of 2.00; the environment's policy rolls it back."),
    ):
        assert sentence(rule, some, undecided, came).endswith(ends)  # type: ignore[arg-type]  # outcomes, as above
    assert "at most 1 %" in told_rule(rule)
