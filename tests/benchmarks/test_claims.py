from __future__ import annotations

from benchmarks import claims
from benchmarks.cells import Cell, Scenario
from benchmarks.measure import Result, RuleResult, Unlimited
from benchmarks.rules import OURS


def _healthy(scenario: Scenario, **rolled_back: int) -> Result:
    cell = Cell(scenario, 10, 0.1, 0.005, 1.0, 1000)
    outcomes = [
        RuleResult(rule.replace("_", "-"), count, 0, None, None, 0.0)
        for rule, count in rolled_back.items()
    ]
    return Result(cell, tuple(outcomes), None)


def _faulty(ours: float, theirs: float, mean: float = 100.0) -> Result:
    cell = Cell("regression", 10, 0.1, 0.005, 10.0, 1000)
    outcomes = (
        RuleResult(OURS, 1000, 0, mean, mean, ours),
        RuleResult("argo", 1000, 0, mean, mean, theirs),
    )
    return Result(cell, outcomes, Unlimited(mean, 0, None))


def test_a_rule_is_compared_only_where_its_false_rollbacks_stay_under_five_percent() -> None:
    calm, incident = _healthy("healthy", pithead=5, argo=49), _healthy("incident", argo=50)
    faulty = _faulty(ours=9.0, theirs=8.0)
    assert [each.rule for each in claims.more_hurt([calm, faulty])] == ["argo"]
    assert claims.more_hurt([calm, incident, faulty]) == []
    assert claims.compared([calm, incident, faulty], "argo") == 0
    assert len(claims.more_hurt([calm, incident, faulty], calm=True)) == 1


def test_affecting_equally_many_or_fewer_users_is_no_exception() -> None:
    calm = _healthy("healthy", argo=0)
    assert claims.more_hurt([calm, _faulty(8.0, 8.0), _faulty(7.0, 8.0)]) == []


def test_a_mean_above_the_limit_is_an_exception() -> None:
    bar = Cell("regression", 10, 0.1, 0.005, 10.0, 1000).bar
    assert bar is not None
    assert claims.over_bar([_faulty(1.0, 1.0, bar - 0.1)]) == []
    (over,) = claims.over_bar([_faulty(1.0, 1.0, bar + 0.1)])
    assert over.mean > over.bar == bar


def test_more_false_rollbacks_than_promised_are_an_exception() -> None:
    assert claims.over_alpha([_healthy("drift", pithead=10)]) == []
    (over,) = claims.over_alpha([_healthy("drift", pithead=11)])
    assert over.low < 0.01 < over.share < over.high
