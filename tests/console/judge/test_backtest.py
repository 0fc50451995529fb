from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from console.errors import ConsoleError
from console.judge.backtest import Policy, backtest, document
from console.judge.course import end
from console.judge.tables import releases

if TYPE_CHECKING:
    from pipeline.judge.statistics.record import Record
    from tests.console.judge.conftest import Played


def served_badly(record: Record, upto: int) -> int:
    return sum(
        pair.canary.failures for each in record.periods[:upto] for pair in each.counts.values()
    )


def test_the_same_policy_decides_the_same_at_the_same_cost(bad: Record, good: Record) -> None:
    for each in (bad, good):
        tested = backtest(Policy(), each)
        assert tested.policy == tested.happened
        assert tested.happened.verdict == each.verdict
        assert not tested.open
    assert backtest(Policy(), bad).happened.bad == served_badly(bad, len(bad.periods))


def test_a_stricter_rule_condemns_later_than_one_that_errs_more(record: Played) -> None:
    release = record(bad=0.006, minutes=40)
    assert release.verdict == "rollback"
    eager = backtest(Policy(false_rollback_rate=0.2), release)
    assert eager.policy.verdict == "rollback"
    assert eager.policy.at
    assert eager.happened.at
    assert eager.policy.at < eager.happened.at
    upto = [end(each) for each in release.periods].index(eager.policy.at) + 1
    assert eager.policy.bad == served_badly(release, upto) < eager.happened.bad
    strict = backtest(Policy(false_rollback_rate=1e-9), release)
    assert strict.policy.verdict == "undecided"
    assert strict.open


def test_a_tolerance_spares_a_difference_that_is_harmless(record: Played) -> None:
    release = record(bad=0.006, minutes=40)
    parameters = replace(release.parameters, harmful=30.0)
    tested = backtest(Policy(tolerance=20.0), replace(release, parameters=parameters))
    assert tested.policy.verdict != "rollback"


def test_an_objective_may_have_the_full_weight(record: Played) -> None:
    release = record(bad=0.01, minutes=20)
    failures = backtest(Policy(objectives={"failures": 1.0}), release)
    assert failures.policy.verdict == "rollback"
    assert failures.policy.at
    assert release.decided_at
    assert failures.policy.at <= release.decided_at
    slow = backtest(Policy(objectives={"slow-requests": 1.0}), release)
    assert slow.policy.verdict != "rollback"
    with pytest.raises(ConsoleError, match=r"found 'errors'.*allowed are failures, slow-requests"):
        backtest(Policy(objectives={"errors": 1.0}), release)


def test_a_shorter_shift_sees_only_its_first_minutes(record: Played) -> None:
    release = record(bad=0.006, minutes=40)
    assert release.decided_at
    minutes = int((release.decided_at - release.began).total_seconds() // 60)
    assert backtest(Policy(minutes=minutes + 1), release).policy.verdict == "rollback"
    assert backtest(Policy(minutes=minutes), release).policy.verdict == "undecided"


@pytest.mark.parametrize("policy", [Policy(tolerance=3.0), Policy(objectives={"failures": 0.3})])
def test_an_invalid_policy_is_an_error(policy: Policy, bad: Record) -> None:
    # Above the harmful ratio, and shares that do not sum to one.
    with pytest.raises(ConsoleError, match="d-ABCDEF123 cannot be judged"):
        backtest(policy, bad)


def test_the_table_and_the_json_document_agree(bad: Record, good: Record) -> None:
    policy = Policy(false_rollback_rate=1e-12)
    tested = [backtest(policy, each) for each in (bad, replace(good, deployment_id="d-ABCDEF124"))]
    out = StringIO()
    releases(tested, Console(file=out, width=140, color_system=None))
    lines = [line.split() for line in out.getvalue().splitlines()]
    assert lines[1][2:5] == ["d-ABCDEF123", "rolled", "back"]
    assert lines[1][-3:] == ["open", "≥", str(tested[0].policy.bad)]
    sums = "Condemned: 1 of 2 releases; by the rule, 0 (0 new), and 1 is open."
    assert sums in out.getvalue()
    told = json.loads(json.dumps(document(policy, tested)))
    assert told["policy"] == {
        "false_rollback_rate": 1e-12, "tolerance": None, "objectives": None, "minutes": None,
    }  # fmt: skip
    assert [each["open"] for each in told["releases"]] == [True, False]
    assert told["releases"][0]["happened"] == {
        "verdict": "rollback",
        "minutes": (bad.decided_at - bad.began).total_seconds() / 60 if bad.decided_at else None,
        "bad": tested[0].happened.bad,
    }
    assert told["releases"][0]["policy"]["minutes"] is None
