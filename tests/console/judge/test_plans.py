from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from console.judge.plans import answer, minutes, rail, show, source
from console.judge.traffic import Counted
from environments.schema import Canary, Environment, Judge, load_all
from pipeline.planning.forecast import Traffic, forecast

JUDGE = Judge(
    false_rollback_rate=0.01,
    tolerance=1.0,
    harmful=2.0,
    undecided="promote",
    incident="continue",
    requests_per_second=20.0,
    failure_share=0.001,
)
COUNTED = Counted(seconds=600.0, requests=30000, stable_requests=27000, stable_failures=54)


def prod() -> Environment:
    shift = Canary(type="canary", percent=10, minutes=7, bake_minutes=4)
    return load_all()["prod"].model_copy(update={"shift": shift, "judge": JUDGE})


@pytest.mark.parametrize(
    ("counted", "given", "traffic", "words"),
    [
        (None, (None, None), (20.0, 0.001),
         "20 requests a second, 0.1 % of which fail (environments/prod.toml)"),
        (COUNTED, (None, None), (50.0, 0.002),
         "50 requests a second, 0.2 % of which fail (counted in the last 3 hours)"),
        (Counted(600.0, 600, 600, 0), (None, None), (1.0, 0.001),
         "1 requests a second (counted in the last 3 hours), 0.1 % of which fail "
         "(environments/prod.toml)"),
        (COUNTED, (3.0, None), (3.0, 0.002),
         "3 requests a second (as given), 0.2 % of which fail (counted in the last 3 hours)"),
        (None, (3.0, 0.01), (3.0, 0.01), "3 requests a second, 1 % of which fail (as given)"),
    ],
)  # fmt: skip
def test_options_override_counted_traffic_and_that_the_file(
    counted: Counted | None,
    given: tuple[float | None, float | None],
    traffic: tuple[float, float],
    words: str,
) -> None:
    found = source("prod", JUDGE, counted, *given)
    assert found.traffic == Traffic(*traffic)
    assert found.words == words


def shown(certainty: float = 0.95, regression: float = 5.0, **traffic: Any) -> list[str]:
    made = forecast(
        prod(), Traffic(**({"requests_per_second": 20.0, "failure_share": 0.001} | traffic))
    )
    assert made
    out = StringIO()
    console = Console(file=out, width=100, color_system=None)
    show(made, "WORDS", JUDGE, console)
    rail(made, prod(), console)
    answer(made, certainty, regression, console)
    return [" ".join(line.split()) for line in out.getvalue().splitlines()]


def test_the_table_and_the_summary() -> None:
    lines = shown()
    assert lines[0] == "10 % for 7 minutes, 6 of which can be compared, at WORDS."
    assert lines[1] == (
        "At most 1 % of releases that are no worse are rolled back: 0.9 % by evidence, 0.1 % by "
        "guard rails."
    )
    lines.pop(1)
    assert lines[1] == "The evidence finds the others:"
    rows = {line.split(" as often")[0]: line for line in lines[3:10]}
    assert list(rows)[:-1] == [f"{times} times" for times in (2, 3, 5, 10, 20, 50)]
    assert lines[9].startswith("always 100 % > 99 % 1.5 min ")
    made = forecast(prod())
    assert made
    ten = made.power.prospect(made.canary, 0.01)
    assert ten.minutes
    assert rows["10 times"].startswith(
        f"10 times as often 1 % {ten.found:.0%}".replace("%", "%").replace(
            f"{ten.found:.0%}", f"{100 * ten.found:.0f} %"
        )
        + f" {ten.minutes:.1f} min {ten.hurt:.0f} "
    )
    least = made.power.smallest(made.canary, 0.95)
    assert least
    assert lines.pop(10) == (
        "Guard rail “failures” fires if in a minute of the new version 31 of 120 fail, or 171 of "
        "1,200 fail. Minutes with fewer than 50 requests are not evaluated."
    )
    assert lines[10].startswith("With probability 0.95 the evidence finds versions that fail ")
    assert f"({100 * least:.3g} %) or more." in lines[10]
    assert lines[11].endswith(
        f"shift.minutes must be at least {made.minutes_for(0.005, 0.95)} (it is 7)."
    )
    assert "Bounds: the share of false rollbacks" in lines[12]


def test_an_undetectable_harm_is_reported() -> None:
    lines = " ".join(shown(requests_per_second=0.1))
    assert "the evidence finds nothing: not even a version that always fails" in lines
    assert "no shift.minutes up to 2,880 is enough: raise shift.percent" in lines


def test_with_little_traffic_a_rail_evaluates_only_the_whole_or_nothing() -> None:
    lines = " ".join(shown(requests_per_second=1.0))
    assert "in a minute of the new version 20 of 60 fail. Minutes" in lines
    lines = " ".join(shown(requests_per_second=0.1))
    assert "Guard rail “failures” never fires at this traffic." in lines


def test_a_high_share_of_failures_has_no_row_beyond_all() -> None:
    assert not [
        line for line in shown(failure_share=0.1) if line.startswith(("20 times", "10 times"))
    ]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0.012, "0.72 s"),
        (4.26, "4.3 min"),
        (35.4, "35 min"),
        (1200.0, "20 h"),
        (float("inf"), "never"),
    ],
)
def test_minutes(number: float, words: str) -> None:
    assert minutes(number) == words
