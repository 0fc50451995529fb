"""The whole load gate: measurements by Locust, limits, and the promoted release."""

from __future__ import annotations

import json
import time
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from environments.schema import load
from pipeline.gates.gate import main
from pipeline.gates.load import generator, program, promoted
from pipeline.gates.load.measurement import Measurement
from pipeline.gates.report.result import CouldNotRunError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from environments.gates import Load

COMMIT = "abcdef1234"
URL, BESIDE = "http://new/", "http://old/"
PATIENT = dict.fromkeys(("max_p50_ms", "max_p95_ms", "max_p99_ms"), 60_000)
"""Limits that even a busy machine does not cross."""


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[list[Measurement]]]:
    """Return a setter of each run's measurements: the release and the other one."""

    def give(*runs: list[Measurement]) -> list[list[Measurement]]:
        left = list(runs)
        monkeypatch.setattr(generator, "measure", lambda _addresses, _plan: left.pop(0))
        return left

    return give


def unthrottled(_sides: Any) -> None:
    """Return None: no throttling explains the failures."""


def _run(milliseconds: float, seed: int = 0, failed: int = 0) -> Measurement:
    """Return a measurement in which only the latencies matter."""
    seen, drawn = Measurement(1.0), Random(seed)
    for number in range(200):
        latency = milliseconds * drawn.lognormvariate(0, 0.1)
        seen.answered("read", number / 200, latency, "status 500" if number < failed else None)
        seen.lateness.add(0.1)
    return seen


def _pair(now: float, before: float, seed: int = 0) -> list[Measurement]:
    return [_run(now, 2 * seed), _run(before, 2 * seed + 1)]


@pytest.fixture
def staging(limits: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = load("staging").model_copy(update={"load": limits.model_copy(update=PATIENT)})
    monkeypatch.setattr(program, "load", {"staging": environment, "prod": load("prod")}.get)
    monkeypatch.setattr(program, "explanation", lambda *_staging: unthrottled)
    monkeypatch.setenv("URL", URL)
    monkeypatch.setenv("PROMOTED_URL", BESIDE)
    monkeypatch.setenv("PROMOTED_ALIAS", "arn:aws:lambda:eu-west-1:333333333333:function:f:p")


def test_a_first_release_is_measured_alone(
    staging: None, service: Any, reports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("URL", service.url)
    monkeypatch.setattr(promoted, "commit", lambda *_prod: None)
    assert main("load", program.run) == 0
    report = json.loads((reports / "load.json").read_text())
    assert report["sentence"].startswith("100 requests at ")
    assert report["sentence"].endswith("; nothing was promoted before")
    assert report["details"]["requests"] == 100
    assert (reports / "load.html").exists()


def test_a_promoted_release_without_a_version_here_is_not_compared(
    staging: None, measure: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promoted, "commit", lambda *_prod: COMMIT)
    monkeypatch.setattr(promoted, "serve", lambda *_arguments: False)
    measure([_run(100)])
    outcome = program.run()
    assert outcome.status == "passed"
    assert outcome.sentence.endswith(
        "; staging has no version of abcdef1, promoted last, to compare with"
    )


def test_a_release_is_compared_with_the_promoted_release_served_beside_it(
    staging: None, measure: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(promoted, "commit", lambda *_prod: COMMIT)
    runs = [_pair(200, 100)]

    def serve(*given: Any) -> bool:
        asked.append(given[:4])
        return True

    def pop_run(addresses: list[str], _plan: Any) -> list[Measurement]:
        asked.append(addresses)
        return runs.pop()

    monkeypatch.setattr(promoted, "serve", serve)
    monkeypatch.setattr(generator, "measure", pop_run)
    assert program.run().status == "refused"
    alias = "arn:aws:lambda:eu-west-1:333333333333:function:f:p"
    assert asked == [(COMMIT, alias, BESIDE, "staging"), [URL, BESIDE]]


def test_a_regression_of_a_third_is_refused_and_an_unchanged_service_passes(
    serve: Any, limits: Load
) -> None:
    """Two real services with real response times; nothing is faked in between."""

    def takes(service: Any, seconds: float) -> None:
        def behave(_number: int) -> dict[str, str]:
            time.sleep(seconds)
            return {}

        service.behave = behave

    now, before = serve(), serve()
    limits = limits.model_copy(update=PATIENT)
    takes(before, 0.3)
    takes(now, 0.3)
    same = program.compared(now.url, before.url, COMMIT, limits, unthrottled)
    assert (same.status, same.findings) == ("passed", ())
    assert "; no slower than abcdef1, promoted last, at the same time (p50 " in same.sentence
    takes(now, 0.4)
    slower = program.compared(now.url, before.url, COMMIT, limits, unthrottled)
    assert slower.status == "refused"
    assert "p50-regression at all requests" in slower.sentence
    assert "ms in abcdef1, promoted last and measured at the same time (+" in slower.sentence


def test_a_certain_regression_is_measured_once(limits: Load, measure: Any) -> None:
    left = measure(_pair(250, 200), _pair(1, 1))
    outcome = program.compared(URL, BESIDE, COMMIT, limits, unthrottled)
    assert (outcome.status, len(left)) == ("refused", 1)
    assert {(each.tool, each.rule, each.subject) for each in outcome.findings} == {
        ("locust", f"p{quantile}-regression", name)
        for quantile in (50, 95)
        for name in ("all requests", "read")
    }
    assert "% in one run, by chance with a probability of " in outcome.sentence
    assert all(each["p_value"] < 0.001 for each in outcome.details["compared"])


def test_an_equally_fast_release_is_measured_once(limits: Load, measure: Any) -> None:
    left = measure(_pair(100, 100), _pair(1, 1))
    outcome = program.compared(URL, BESIDE, COMMIT, limits, unthrottled)
    assert (outcome.status, len(left)) == ("passed", 1)
    assert outcome.details["since"] == COMMIT


def _slowed(share: float) -> list[Measurement]:
    """Return a release in which this many requests take twice as long."""
    pair = _pair(100, 100)
    lame, drawn = Measurement(1.0), Random(5)
    for number in range(200):
        latency = 100 * drawn.lognormvariate(0, 0.1) * (2 if drawn.random() < share else 1)
        lame.answered("read", number / 200, latency, None)
        lame.lateness.add(0.1)
    return [lame, pair[1]]


def test_a_possible_regression_is_measured_again_and_cleared(limits: Load, measure: Any) -> None:
    left = measure(_slowed(0.06), _pair(100, 110), _pair(1, 1))
    outcome = program.compared(URL, BESIDE, COMMIT, limits, unthrottled)
    assert (outcome.status, outcome.details["runs"], len(left)) == ("passed", 2, 1)


def test_a_possible_regression_is_measured_again_and_refused(limits: Load, measure: Any) -> None:
    left = measure(*[_slowed(0.06)] * 3)
    outcome = program.compared(URL, BESIDE, COMMIT, limits, unthrottled)
    assert outcome.status == "refused"
    assert outcome.details["runs"] == 3 - len(left) > 1
    assert {each.rule for each in outcome.findings} == {"p95-regression"}


def test_a_waived_regression_passes(
    limits: Load, measure: Any, tmp_path: Path, reports: Path
) -> None:
    measure(_pair(250, 200))
    waivers = [
        f"""
        [[waiver]]
        gate = "load"
        rule = "p{quantile}-regression"
        subject = "{name}"
        reason = "reads are checked for viruses now"
        owner = "@acme/files"
        expires = 9999-12-31
        """
        for name in ("all requests", "read")
        for quantile in (50, 95)
    ]
    (tmp_path / "waivers.toml").write_text("".join(waivers))
    assert main("load", lambda: program.compared(URL, BESIDE, COMMIT, limits, unthrottled)) == 0
    sentence = json.loads((reports / "load.json").read_text())["sentence"]
    assert "; slower (waived) than abcdef1, promoted last, at the same time (" in sentence


def test_a_limit_crossed_only_by_the_release_refuses_at_once(limits: Load, measure: Any) -> None:
    left = measure(_pair(2000, 100), _pair(100, 100))
    outcome = program.compared(URL, BESIDE, COMMIT, limits, unthrottled)
    assert (outcome.status, len(left)) == ("refused", 1)
    assert {"p50-limit", "p50-regression"} <= {each.rule for each in outcome.findings}


def test_a_machine_that_is_too_slow_for_both_could_not_measure(limits: Load, measure: Any) -> None:
    left = measure(*[_pair(2000, 2000, seed) for seed in range(3)])
    with pytest.raises(CouldNotRunError) as raised:
        program.compared(URL, BESIDE, COMMIT, limits, unthrottled)
    assert left == []
    said = str(raised.value)
    assert said.startswith("could not measure: p50 is 2")
    assert "in each of 3 runs. That does not prove the release to be worse than abcdef1, " in said
    assert "; the load generator waited for a processor in 0% of" in said
    assert "lower requests_per_second (100) in [load] of environments/staging.toml" in said


def test_a_machine_that_was_too_slow_for_a_while_is_measured_again(
    limits: Load, measure: Any
) -> None:
    left = measure(_pair(2000, 2000), _pair(100, 100), _pair(1, 1))
    outcome = program.compared(URL, BESIDE, COMMIT, limits, unthrottled)
    assert (outcome.status, outcome.details["runs"], len(left)) == ("passed", 2, 1)


def test_a_first_release_is_refused_only_if_the_generator_had_cpu_time(
    limits: Load, measure: Any
) -> None:
    def starved(run: Measurement) -> list[Measurement]:
        run.stalled = 0.6
        return [run]

    left = measure(*[starved(_run(2000, seed)) for seed in range(3)])
    with pytest.raises(CouldNotRunError, match=r"3 runs, and the load .* in 60% of"):
        program.alone(URL, limits, "nothing was promoted before", unthrottled)
    assert left == []
    measure(starved(_run(2000)), [_run(100)])
    assert program.alone(URL, limits, "nothing was promoted before", unthrottled).status == "passed"
    measure(*[[_run(2000, seed)] for seed in range(3)])
    outcome = program.alone(URL, limits, "nothing was promoted before", unthrottled)
    assert {each.rule for each in outcome.findings} >= {"p50-limit", "p95-limit"}


def test_a_release_that_fails_is_refused_at_once(limits: Load, measure: Any) -> None:
    left = measure([_run(100, failed=150), _run(100)], _pair(1, 1))
    outcome = program.compared(URL, BESIDE, COMMIT, limits, unthrottled)
    assert "failures-limit" in {each.rule for each in outcome.findings}
    assert "the share of failures is 75.00%" in {
        each.message.split(",")[0] for each in outcome.findings
    }
    assert len(left) == 1


def test_errors_that_do_not_recur_do_not_refuse(limits: Load, measure: Any) -> None:
    few = limits.model_copy(update={"max_failure_share": 0.005})
    left = measure([_run(100, failed=2), _run(100)], _pair(100, 100), _pair(1, 1))
    assert program.compared(URL, BESIDE, COMMIT, few, unthrottled).status == "passed"
    assert len(left) == 1
    measure([_run(100, failed=2)], [_run(100)])
    assert program.alone(URL, few, "nothing was promoted before", unthrottled).status == "passed"


def test_errors_that_stop_halfway_still_refuse(limits: Load, measure: Any) -> None:
    left = measure([_run(100, failed=100), _run(100)], *[_pair(100, 100, seed) for seed in (1, 2)])
    with pytest.raises(
        CouldNotRunError, match=r"^could not measure: the share of failures is 16.67%, "
    ):
        program.compared(URL, BESIDE, COMMIT, limits, unthrottled)
    assert left == []


def test_errors_of_both_releases_still_refuse_the_release(
    limits: Load, measure: Any, tmp_path: Path
) -> None:
    measure(*[[_run(100, seed, failed=100), _run(100, seed, failed=100)] for seed in range(3)])
    outcome = program.compared(URL, BESIDE, COMMIT, limits, unthrottled)
    assert {each.rule for each in outcome.findings} >= {"not-compared", "failures-limit"}


def test_a_failing_promoted_release_is_a_waivable_finding(
    limits: Load, measure: Any, tmp_path: Path
) -> None:
    def judge() -> Any:
        measure(*[[_run(100, seed), _run(5, seed, failed=100)] for seed in range(3)])
        return program.compared(URL, BESIDE, COMMIT, limits, unthrottled)

    outcome = judge()
    assert outcome.status == "refused"
    assert (
        "abcdef1, promoted last, cannot be compared with: the share of failures is 50.00%, "
        "allowed 10.00% (100 status 500)"
    ) in outcome.sentence
    (tmp_path / "waivers.toml").write_text(
        """
        [[waiver]]
        gate = "load"
        rule = "not-compared"
        subject = "abcdef1"
        reason = "the bucket has another name from now on"
        owner = "@acme/files"
        expires = 9999-12-31
        """
    )
    assert main("load", judge) == 0


def test_a_measurement_that_would_miss_a_doubling_has_no_verdict(
    limits: Load, measure: Any
) -> None:
    def noise(seed: int) -> Measurement:
        seen, drawn = Measurement(1.0), Random(seed)
        for number in range(200):
            seen.answered("read", number / 200, 900 * drawn.random() ** 20, None)
            seen.lateness.add(0.1)
        return seen

    left = measure(*([noise(2 * each), noise(2 * each + 1)] for each in range(3)))
    with pytest.raises(CouldNotRunError, match=r"^could not compare: in 3 runs a release that tak"):
        program.compared(URL, BESIDE, COMMIT, limits, unthrottled)
    assert left == []


def test_an_unknown_promoted_release_refuses(staging: None, measure: Any, no_aws: None) -> None:
    measure([_run(100)])
    with pytest.raises(CouldNotRunError, match="the commit that serves prod cannot be read: "):
        program.run()


@pytest.mark.parametrize("variable", ["URL", "PROMOTED_URL", "PROMOTED_ALIAS"])
def test_without_an_address_it_refuses(
    staging: None, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(variable)
    with pytest.raises(CouldNotRunError, match=rf"variable {variable}: nothing found"):
        program.run()
