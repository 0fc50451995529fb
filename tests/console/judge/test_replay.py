from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from console.errors import ConsoleError
from console.judge.course import end
from console.judge.replay import heading, replay_record

if TYPE_CHECKING:
    from pipeline.judge.statistics.record import Record
    from tests.console.judge.conftest import Played


def answers(record: Record) -> dict[str, str]:
    return {each.what: each.answer for each in replay_record(record).checks}


def test_the_same_counts_give_the_same_verdict(bad: Record, good: Record) -> None:
    assert (bad.verdict, good.verdict) != ("undecided", "undecided")
    for each in (bad, good):
        again = replay_record(each)
        assert again.same
        assert set(answers(each).values()) == {"same"}
        assert "to the last bit" in again.checks[3].sentence


def test_every_wrong_value_is_reported(bad: Record) -> None:
    assert bad.decided_at
    altered = {
        "verdict": replace(bad, verdict="undecided"),
        "decided at": replace(bad, decided_at=bad.began),
        "incident": replace(bad, incident=True),
        "evidence": replace(bad, evidence=(*bad.evidence[:-1], bad.evidence[-1] + 0.001)),
    }
    for what, record in altered.items():
        assert not replay_record(record).same
        assert [each for each, answer in answers(record).items() if answer != "same"] == [what]


def test_an_altered_count_is_detected(bad: Record) -> None:
    first, *rest = bad.periods
    pair = first.counts["failures"]
    more = replace(
        first, counts=dict(first.counts) | {"failures": type(pair)(pair.canary, pair.canary)}
    )
    assert answers(replace(bad, periods=(more, *rest)))["evidence"] == "differs"


def test_other_code_may_change_the_evidence_but_not_the_verdict(bad: Record) -> None:
    other = replace(bad, code="sha256:" + 64 * "0")
    assert replay_record(other).same
    assert answers(other)["code"] == "explained"
    weighed = replace(other, evidence=tuple(each + 0.1 for each in bad.evidence))
    assert replay_record(weighed).same
    assert answers(weighed)["evidence"] == "explained"
    assert not replay_record(replace(other, verdict="good")).same


def test_differences_in_the_last_bits_are_tolerated(bad: Record) -> None:
    moved = replace(bad, evidence=tuple(each * (1 + 1e-15) for each in bad.evidence))
    again = replay_record(moved)
    assert again.same
    assert "within" in again.checks[3].sentence


@pytest.mark.parametrize("wrong", [0.0, 1.0, 2.0, "0.01"])
def test_an_invalid_judge_rule_is_an_error(wrong: object, bad: Record) -> None:
    parameters = replace(bad.parameters, false_rollback_rate=wrong)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(ConsoleError, match=r"^d-ABCDEF123 cannot be judged: "):
        replay_record(replace(bad, parameters=parameters))


def test_without_a_period_there_is_nothing_to_draw(bad: Record) -> None:
    empty = replace(bad, periods=(), evidence=(), verdict="undecided", decided_at=None)
    again = replay_record(empty)
    assert again.same
    with pytest.raises(ConsoleError, match="no closed period"):
        _ = again.course


def test_a_minute_judged_late_is_drawn_at_its_own_time(record: Played) -> None:
    release = record(minutes=4, bad=0.003)
    first, second, *rest = release.periods
    late = replace(release, periods=(second, first, *rest))
    course = replay_record(late).course
    assert [each.start for each in course.periods] == [each.start for each in release.periods]
    times = [time for time, _ in course.points]
    assert times == sorted(times)
    assert times[1] == times[2] == end(second)


def test_headings(bad: Record, record: Played) -> None:
    assert heading(bad) == "files in prod: version 3 was rolled back"
    assert heading(replace(bad, outcome="in progress")) == "files in prod: version 3 is in progress"
