"""Throttled requests, distinguished from failed and slow ones."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from environments.schema import load
from pipeline.gates.load import generator, program, throttled
from pipeline.gates.load.measurement import NOT_INVOKED, RATE_LIMITED, Measurement
from pipeline.gates.report.result import CouldNotRunError
from pipeline.names import ALIAS, PROMOTED
from tests.pipeline.gates.watch import LIMIT, STEP, FakeWatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from environments.gates import Load

URL, BESIDE, COMMIT = "http://new/", "http://old/", "abcdef1234"
SERVICE_FAILS = "status 503"


def _run(milliseconds: float = 100, **failures: int) -> Measurement:
    """Return a run of 200 requests; each keyword is a number of failed ones."""
    seen = Measurement(1.0)
    reasons = {"throttled": NOT_INVOKED, "limited": RATE_LIMITED, "broken": SERVICE_FAILS}
    left = [reasons[name] for name, count in failures.items() for _ in range(count)]
    for number in range(200):
        # Spread over the run, each slightly different.
        due = (number * 7 % 200) / 200
        reason = left[number] if number < len(left) else None
        seen.answered("read", due, milliseconds + number % 5, reason)
        seen.lateness.add(0.1)
    return seen


@pytest.fixture
def explain(limits: Load) -> Callable[[FakeWatch], program.Explain]:
    def made(watch: FakeWatch) -> program.Explain:
        return partial(
            throttled.explain,
            max_failure_share=limits.max_failure_share,
            name="staging",
            environment=load("staging"),
            watch=watch,
        )

    return made


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a setter of the measurements of each run."""

    def give(*runs: list[Measurement]) -> None:
        left = list(runs)
        monkeypatch.setattr(generator, "measure", lambda _addresses, _plan: left.pop(0))

    return give


def test_throttling_by_lambda_could_not_measure(limits: Load, measure: Any, explain: Any) -> None:
    measure(*[[_run(throttled=50)]] * 3)
    watch = FakeWatch(live=180)  # including those of the warm-up
    with pytest.raises(CouldNotRunError) as raised:
        program.alone(URL, limits, "nothing was promoted before", explain(watch))
    assert str(raised.value) == (
        "could not measure: AWS throttled 150 of 600 requests, which says nothing about the "
        f"release: Lambda rejected 150, because {LIMIT}"
    )
    assert raised.value.rule == "throttled"
    assert raised.value.next_step == f"{STEP}; then run `pithead release` again"
    assert watch.asked == [150]


def test_throttling_of_both_releases_blames_neither(
    limits: Load, measure: Any, explain: Any
) -> None:
    measure(*[[_run(throttled=60), _run(throttled=40)]] * 3)
    with pytest.raises(CouldNotRunError, match="AWS throttled 300 of 1200 requests") as raised:
        program.compared(
            URL, BESIDE, COMMIT, limits, explain(FakeWatch(**{ALIAS: 180, PROMOTED: 120}))
        )
    assert raised.value.rule == "throttled"


def test_throttling_by_api_gateway_names_the_rate_limit(
    limits: Load, measure: Any, explain: Any
) -> None:
    measure(*[[_run(limited=50)]] * 3)
    watch = FakeWatch()
    with pytest.raises(CouldNotRunError) as raised:
        program.alone(URL, limits, "nothing was promoted before", explain(watch))
    assert (
        "API Gateway answered 429 to 150, because [api] of environments/staging.toml admits 200 "
        "requests a second and bursts of 400, or the account fewer"
    ) in str(raised.value)
    assert "in [api] of environments/staging.toml, or the" in (raised.value.next_step or "")
    assert watch.asked == []


@pytest.mark.parametrize(
    ("failures", "throttles"),
    [
        pytest.param({"broken": 50}, 0, id="its own errors"),
        pytest.param({"throttled": 50}, 0, id="may not be invoked"),
        pytest.param({"throttled": 50, "broken": 50}, 150, id="throttled and its own errors"),
    ],
)
def test_a_release_that_fails_by_itself_is_refused_for_it(
    limits: Load, measure: Any, explain: Any, failures: dict[str, int], throttles: int
) -> None:
    measure(*[[_run(**failures)]] * 3)
    watch = FakeWatch(live=throttles)
    outcome = program.alone(URL, limits, "nothing was promoted before", explain(watch))
    assert outcome.status == "refused"
    assert "failures-limit" in {each.rule for each in outcome.findings}


def test_a_slow_and_throttled_release_has_both_findings(
    limits: Load, measure: Any, explain: Any
) -> None:
    """Slow requests need more concurrency; a waiver of one rule does not cover the other."""
    measure([_run(300, throttled=60), _run(100, throttled=40)])
    with pytest.raises(CouldNotRunError) as raised:
        program.compared(
            URL, BESIDE, COMMIT, limits, explain(FakeWatch(**{ALIAS: 60, PROMOTED: 40}))
        )
    said = str(raised.value)
    assert said.startswith("could not measure: AWS throttled 100 of 400 requests")
    assert ". Besides: p50 is 30" in said
    assert "share of failures" not in said


def test_throttled_requests_within_the_error_limit_pass(
    limits: Load, measure: Any, explain: Any
) -> None:
    measure([_run(throttled=2), _run()])
    watch = FakeWatch()
    outcome = program.compared(URL, BESIDE, COMMIT, limits, explain(watch))
    assert (outcome.status, watch.asked) == ("passed", [])
