"""The gate as a whole: measured by Locust, held against limits and against a release before."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.gates.gate import CouldNotRunError, run
from pipeline.gates.load import generator, judging, promoted, regression
from pipeline.gates.load.measured import Measured
from pipeline.gates.load.plan import Plan
from pipeline.gates.load.promoted import Promoted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from environments.gates import Load

COMMIT = "abcdef1234"
PATIENT = dict.fromkeys(("max_p50_ms", "max_p95_ms", "max_p99_ms"), 60_000)
"""Limits that a machine as busy as can be does not cross."""


@pytest.fixture
def before(monkeypatch: pytest.MonkeyPatch) -> Callable[[Promoted | str], None]:
    """Says what was promoted last."""

    def say(known: Promoted | str) -> None:
        monkeypatch.setattr(promoted, "last", lambda _way: known)

    say("nothing was promoted before")
    return say


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Measured]]:
    """Gives the generator what it measures, in milliseconds for each run."""

    def give(*runs: Measured) -> list[Measured]:
        left = list(runs)
        monkeypatch.setattr(generator, "measure", lambda _url, _plan: left.pop(0))
        return left

    return give


def _run(milliseconds: float, late: float = 0.1, failed: int = 0) -> Measured:
    """A run of which nothing but its latencies is worth a word."""
    seen = Measured(1.0)
    for number in range(200):
        # A little noise, else there were nothing to rank.
        latency = milliseconds * (1 + (number * 7919 % 100) / 2000)
        seen.answered("read", number / 200, latency, "status 500" if number < failed else None)
        seen.lateness.add(late)
    return seen


def _promoted(milliseconds: float) -> Promoted:
    return Promoted(COMMIT, _run(milliseconds))


def test_a_release_is_measured_and_recorded_for_the_next(
    service: Any, limits: Load, reports: Path, before: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = limits.model_copy(update=PATIENT)
    monkeypatch.setenv("URL", service.url)
    monkeypatch.setattr(judging, "load", lambda _name: type("Staging", (), {"load": limits}))
    assert run("load", judging.judge) == 0
    report = json.loads((reports / "load.json").read_text())
    assert report["sentence"].startswith("100 requests at ")
    assert report["sentence"].endswith("; nothing was promoted before")
    assert report["details"]["requests"] == 100
    recorded = json.loads((reports / promoted.REPORT).read_text())
    assert recorded["way"] == judging._way(limits)
    assert Measured.read(recorded["measured"]).requests == 100
    assert (reports / "load.html").exists()


def test_a_regression_of_a_third_is_refused_and_an_unchanged_service_passes(
    service: Any, limits: Load, before: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against a real service that takes its time, with nothing made up in between."""

    def takes(seconds: float) -> Callable[[int], dict[str, str]]:
        def behave(_number: int) -> dict[str, str]:
            time.sleep(seconds)
            return {}

        return behave

    # How busy this machine is must not matter: a third of it is more than noise adds.
    monkeypatch.setattr(regression, "_WAITS", 0)
    limits = limits.model_copy(update=PATIENT | {"seconds": 2})
    service.behave = takes(0.6)
    first = generator.measure(service.url, Plan.of(limits))
    before(Promoted(COMMIT, first))
    same = judging.examine(service.url, limits)
    assert (same.status, same.findings) == ("passed", ())
    service.behave = takes(0.8)
    slower = judging.examine(service.url, limits)
    assert slower.status == "refused"
    assert "p95-regression" in slower.sentence
    assert "in abcdef1, promoted last, and is" in slower.sentence


def test_what_is_slower_once_is_measured_again(
    limits: Load, before: Any, measure: Any, reports: Path
) -> None:
    before(_promoted(100))
    left = measure(_run(200), _run(101), _run(1))
    outcome = judging.examine("http://x/", limits)
    assert (outcome.status, len(left)) == ("passed", 1)
    assert outcome.sentence.endswith("; no slower than abcdef1, promoted last, within 10 ms")
    recorded = Measured.read(json.loads((reports / promoted.REPORT).read_text())["measured"])
    assert recorded.warm.quantile(0.95) < 110


def test_what_is_slower_twice_is_measured_once_more(
    limits: Load, before: Any, measure: Any
) -> None:
    before(_promoted(100))
    left = measure(_run(200), _run(150), _run(101), _run(1))
    outcome = judging.examine("http://x/", limits)
    assert (outcome.status, len(left)) == ("passed", 1)


def test_what_is_slower_three_times_is_refused_as_a_finding(
    limits: Load, before: Any, measure: Any
) -> None:
    before(_promoted(100))
    left = measure(_run(250), _run(200), _run(225))
    outcome = judging.examine("http://x/", limits)
    assert (outcome.status, left) == ("refused", [])
    assert [(each.tool, each.rule, each.subject) for each in outcome.findings] == [
        ("locust", "p95-regression", "all requests"),
        ("locust", "p95-regression", "read"),
    ]
    assert (
        "at all requests: p95 was 105 ms in abcdef1, promoted last, and is at least 208 ms in each "
        "of 3 runs (+99%, by chance with a probability of "
    ) in outcome.sentence
    compared = outcome.details["compared"]
    assert all(each["p_value"] < 0.01 for each in compared)


def test_an_accepted_regression_is_waived_by_name(
    limits: Load, before: Any, measure: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before(_promoted(100))
    measure(_run(200), _run(200), _run(200))
    waivers = [
        f"""
        [[waiver]]
        gate = "load"
        rule = "p95-regression"
        subject = "{name}"
        reason = "reads are checked for viruses now"
        owner = "@acme/files"
        expires = 9999-12-31
        """
        for name in ("all requests", "read")
    ]
    (tmp_path / "waivers.toml").write_text("".join(waivers))
    assert run("load", lambda: judging.examine("http://x/", limits)) == 0


@pytest.mark.parametrize("second", [_run(200, failed=100), _run(2000)])
def test_a_second_measurement_can_refuse_by_its_limits(
    limits: Load, before: Any, measure: Any, second: Measured
) -> None:
    before(_promoted(100))
    measure(_run(200), second)
    outcome = judging.examine("http://x/", limits)
    assert (outcome.status, outcome.findings) == ("refused", ())


def test_a_crossed_limit_is_not_measured_again(limits: Load, before: Any, measure: Any) -> None:
    before(_promoted(100))
    left = measure(_run(2000), _run(100))
    outcome = judging.examine("http://x/", limits)
    assert (outcome.status, len(left)) == ("refused", 1)


def test_a_growth_within_the_noise_of_the_machine_is_none(
    limits: Load, before: Any, measure: Any
) -> None:
    before(_promoted(100))
    left = measure(_run(200, late=60), _run(200))
    outcome = judging.examine("http://x/", limits)
    assert (outcome.status, len(left)) == ("passed", 1)
    assert outcome.sentence.endswith("; no slower than abcdef1, promoted last, within 180 ms")


def test_noise_that_would_hide_anything_is_no_verdict(
    limits: Load, before: Any, measure: Any
) -> None:
    before(_promoted(100))
    left = measure(_run(200, late=150), _run(200), _run(200))
    with pytest.raises(
        CouldNotRunError, match=r"^could not compare: at all requests, p95 .* may be 4.. ms of it; "
    ):
        judging.examine("http://x/", limits)
    assert left == []


def test_after_noise_that_would_hide_anything_a_quiet_run_clears(
    limits: Load, before: Any, measure: Any
) -> None:
    before(_promoted(100))
    left = measure(_run(200, late=150), _run(101), _run(1))
    outcome = judging.examine("http://x/", limits)
    assert (outcome.status, len(left)) == ("passed", 1)


def test_what_cannot_be_compared_is_said(limits: Load, before: Any, measure: Any) -> None:
    before("abcdef1, promoted last, was measured in another way")
    measure(_run(100))
    outcome = judging.examine("http://x/", limits)
    assert outcome.status == "passed"
    assert outcome.sentence.endswith("; abcdef1, promoted last, was measured in another way")


def test_another_load_is_another_way_to_measure(
    limits: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    way = judging._way(limits)
    assert judging._way(limits.model_copy(update={"seconds": 60})) != way
    other = tmp_path / "profile.py"
    other.write_text(generator.PROFILE.read_text() + "\n# and more")
    monkeypatch.setattr(generator, "PROFILE", other)
    assert judging._way(limits) != way


def test_another_limit_is_measured_in_the_same_way(limits: Load) -> None:
    other = limits.model_copy(update={"max_p95_ms": 999, "max_cold_share": 0.1})
    assert judging._way(other) == judging._way(limits)


def test_that_nobody_knows_what_was_promoted_refuses(
    limits: Load, measure: Any, no_aws: None
) -> None:
    measure(_run(100))
    with pytest.raises(CouldNotRunError, match="AWS did not tell what was promoted last: "):
        judging.examine("http://x/", limits)


def test_without_an_address_it_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("URL", raising=False)
    with pytest.raises(CouldNotRunError, match="environment variable URL: nothing found"):
        judging.judge()
