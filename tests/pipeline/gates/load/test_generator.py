"""Locust itself, with the checkout's profile, against real servers on loopback."""

from __future__ import annotations

import os
import signal
import ssl
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.gates.load import generator
from pipeline.gates.load.limits import (
    FAILURES,
    exceeded_in_every_run,
    is_generator_starved,
    require_all_requests,
)
from pipeline.gates.load.measurement import NOT_INVOKED, RATE_LIMITED
from pipeline.gates.load.plan import Plan
from pipeline.gates.report.result import CouldNotRunError

if TYPE_CHECKING:
    from collections.abc import Callable

    from environments.gates import Load
    from pipeline.gates.load.measurement import Measurement


def measure(url: str, plan: Plan) -> Measurement:
    """Return the measurement of one address."""
    (seen,) = generator.measure([url], plan)
    return seen


WARM = 3
"""Requests of each user that count as its warm-up, the file's write included."""


@pytest.fixture
def plan(limits: Load) -> Plan:
    return replace(Plan.of(limits), users=10)


@pytest.fixture
def patient(limits: Load) -> Load:
    """Latency limits that even a busy machine or generator does not cross."""
    return limits.model_copy(
        update=dict.fromkeys(("max_p50_ms", "max_p95_ms", "max_p99_ms"), 60_000)
    )


def _failure(seen: Measurement, limits: Load) -> str:
    exceeded = exceeded_in_every_run([seen], limits)
    return next((each[-1].sentence for each in exceeded if each[-1].rule == FAILURES), "")


def _shape(seen: Measurement) -> dict[str, list[int]]:
    return {name: [each.total for each in blocks] for name, blocks in seen.latencies.items()}


def _totals(seen: Measurement) -> list[int]:
    return [sum(block) for block in zip(*_shape(seen).values(), strict=True)]


def test_each_planned_request_is_sent_and_the_warm_up_does_not_count(
    service: Any, plan: Plan, patient: Load, reports: Path
) -> None:
    seen = measure(service.url, plan)
    require_all_requests(seen, plan)
    assert exceeded_in_every_run([seen], patient) == []
    assert seen.requests == plan.requests == 100
    # The warm-up requests are additional, and each user deletes its file at the end.
    assert service.requests == 100 + 10 * (WARM + 1)
    assert {agent.partition("/")[0] for agent in service.agents} == {"locust"}
    # Locust's own report has its plots.
    assert '"response_time_percentile_0.95"' in (reports / "load.html").read_text()


def test_two_runs_of_a_profile_send_the_same_requests_in_every_block(
    service: Any, plan: Plan
) -> None:
    first, second = measure(service.url, plan), measure(service.url, plan)
    assert _shape(first) == _shape(second)
    assert set(_shape(first)) == {"read", "write", "list"}


@pytest.mark.parametrize(
    ("status", "reason"),
    [("429", RATE_LIMITED), ("500", NOT_INVOKED), ("502", "status 502 of API Gateway")],
)
def test_api_gateways_own_errors_are_distinguished_from_the_services(
    service: Any, plan: Plan, status: str, reason: str
) -> None:
    service.behave = lambda _number: {"status": status, "x-amzn-ErrorType": "SomeException"}
    assert dict(measure(service.url, plan).failures) == {reason: 100}


@pytest.mark.parametrize("workers", [1, 2])
def test_two_addresses_get_equal_load_in_the_same_seconds(
    serve: Callable[..., Any], plan: Plan, limits: Load, reports: Path, workers: int
) -> None:
    addresses = [serve(), serve()]
    addresses[1].behave = lambda _number: {"status": "503"}
    plan = replace(plan, workers=workers)
    good, bad = generator.measure([each.url for each in addresses], plan)
    for seen in (good, bad):
        require_all_requests(seen, plan)
        assert seen.requests == 100
        assert sum(each > 0 for each in _totals(seen)) > 10  # all the time
    assert (good.failures.total(), dict(bad.failures)) == (0, {"status 503": 100})
    # Each address has its own users, who warm up and clean up there.
    assert all(each.requests >= 100 + 10 * WARM for each in addresses)
    report = (reports / "load.html").read_text()
    assert '"read"' in report
    assert '"read beside it"' in report


def test_workers_share_the_arrivals(service: Any, plan: Plan, limits: Load) -> None:
    seen = measure(service.url, replace(plan, workers=2))
    require_all_requests(seen, plan)
    assert (seen.requests, seen.failures.total()) == (100, 0)
    assert _totals(seen) == _totals(measure(service.url, plan))


@pytest.mark.parametrize("fate", [signal.SIGKILL, signal.SIGSTOP])
def test_a_worker_that_dies_or_hangs_in_the_middle_could_not_measure(
    service: Any, plan: Plan, fate: signal.Signals
) -> None:
    """Otherwise the timeout would report that Locust hung."""

    def behave(number: int) -> dict[str, str]:
        if number == 10 * WARM + 20:  # of the 50 that each of the two sends
            os.kill(_children(_locust())[0], fate)
        return {}

    service.behave = behave
    with pytest.raises(
        CouldNotRunError,
        match=r"(?s)^could not measure: Locust wrote 1 reports of 2 .*1 of 2 workers fell silent$",
    ):
        measure(service.url, replace(plan, workers=2))


def test_a_worker_that_dies_before_it_begins_could_not_measure(
    service: Any, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator, "_WORKER_TIMEOUT_SECONDS", 1)
    fate = "import os\n\nos.register_at_fork(after_in_child=lambda: os._exit(1))\nimport uuid"
    _profile(tmp_path, monkeypatch, "import uuid", fate)
    with pytest.raises(CouldNotRunError, match=r"(?s) 0 reports of 2 .*Gave up waiting for worker"):
        measure(service.url, replace(plan, workers=2))


def test_a_locust_that_dies_in_the_middle_could_not_measure(service: Any, plan: Plan) -> None:
    """Its workers would continue, and nothing would end them."""

    def behave(number: int) -> dict[str, str]:
        if number == 10 * WARM + 20:
            os.kill(_locust(), signal.SIGKILL)
        return {}

    service.behave = behave
    with pytest.raises(
        CouldNotRunError, match=r"(?s)^could not measure: Locust wrote . .* exit code -9: "
    ):
        measure(service.url, replace(plan, workers=2))


def test_the_warm_up_lasts_until_no_user_gets_a_cold_start(service: Any, plan: Plan) -> None:
    service.behave = lambda number: {"Server-Timing": "cold"} if number < 100 else {}
    seen = measure(service.url, plan)
    assert seen.cold_total == 0
    assert service.requests >= 100 + 100


def test_a_cold_start_after_the_warm_up_is_counted(service: Any, plan: Plan) -> None:
    after = 10 * WARM
    cold = {"Server-Timing": "cold"}
    service.behave = lambda number: cold if after <= number < after + 7 else {}
    assert measure(service.url, plan).cold_total == 7


def test_a_stall_delays_every_request_due_during_it(service: Any, plan: Plan) -> None:
    """A client that waits for responses would count it once for each of ten users."""
    stalled = threading.Event()
    began: list[float] = []

    def behave(number: int) -> dict[str, str]:
        if number == 10 * WARM + 20:
            began.append(time.monotonic())
            threading.Timer(0.5, stalled.set).start()
        if began:
            stalled.wait()
        return {}

    service.behave = behave
    seen = measure(service.url, plan).warm
    slow = sum(count for bucket, count in seen.counts.items() if 1.01**bucket > 100)
    # 50 were due in that half of a second, and 40 of them more than 100 ms before its end.
    assert slow > 25


def test_a_service_that_crashes_under_load_is_refused(
    service: Any, plan: Plan, patient: Load
) -> None:
    def behave(number: int) -> dict[str, str] | None:
        if number == 10 * WARM + 50:
            service.server.socket.close()
        return {} if number < 10 * WARM + 50 else None

    service.behave = behave
    seen = measure(service.url, plan)
    require_all_requests(seen, plan)
    assert (seen.requests, seen.failures.total()) == (100, 50)
    assert any("Connection refused" in reason for reason in seen.failures)
    assert "the share of failures is 50.00%" in _failure(seen, patient)


def test_a_service_that_hangs_ends_the_run_and_is_refused(
    service: Any, plan: Plan, limits: Load
) -> None:
    over = threading.Event()

    def behave(number: int) -> dict[str, str]:
        if number >= 10 * WARM + 50:
            over.wait(60)
        return {}

    service.behave = behave
    seen = measure(service.url, replace(plan, answer_timeout=0.5))
    over.set()
    require_all_requests(seen, plan)
    assert seen.requests == 100
    assert set(seen.failures) == {"no answer"}
    # A request without a response is included in the latencies, too.
    assert seen.warm.quantile(0.95) > 500


def test_an_address_that_refuses_connections_is_refused(plan: Plan, patient: Load) -> None:
    seen = measure("http://127.0.0.1:1/", plan)
    require_all_requests(seen, plan)
    said = _failure(seen, patient)
    assert said.startswith("the share of failures is 100.00%, allowed 10.00% (100 Connection")
    assert "Connection refused" in said


def test_an_untrusted_certificate_is_refused(
    serve: Callable[..., Any], certificate: Path, plan: Plan, patient: Load
) -> None:
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.load_cert_chain(certificate)
    seen = measure(serve(secure).url, plan)
    require_all_requests(seen, plan)
    said = _failure(seen, patient)
    assert "100.00%" in said
    assert "certificate verify failed" in said


def _profile(folder: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> None:
    """Return another profile than the checkout's own."""
    text = generator.profile().read_text(encoding="utf-8")
    assert old in text
    profile = folder / "profile.py"
    profile.write_text(text.replace(old, new), encoding="utf-8")
    monkeypatch.setattr(generator, "profile", lambda: profile)


def test_a_generator_below_its_rate_is_reported_as_starved(
    service: Any, plan: Plan, limits: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice as much work as there is time for: the generator causes every delay."""
    work = (
        "import time; end = time.process_time() + 0.02\n        while time.process_time() < end: 0"
    )
    task = 'self.client.get(self.path, name="read")'
    _profile(tmp_path, monkeypatch, task, f"{work}\n        {task}")
    seen = measure(service.url, replace(plan, users=20))
    require_all_requests(seen, plan)
    strict = limits.model_copy(update={"max_p50_ms": 50, "max_p95_ms": 50, "max_p99_ms": 50})
    assert exceeded_in_every_run([seen], strict)
    assert is_generator_starved(seen, strict)


def test_a_profile_that_fails_itself_could_not_measure(
    service: Any, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = 'self.client.get("/files?prefix=load/&limit=20", name="list")'
    _profile(tmp_path, monkeypatch, task, "1 / 0")
    seen = measure(service.url, replace(plan, answer_timeout=0.1))
    with pytest.raises(CouldNotRunError, match=r"profile itself failed \d+ times: ZeroDivision"):
        require_all_requests(seen, plan)


def test_a_locust_without_a_profile_could_not_measure(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator, "profile", lambda: tmp_path / "none.py")
    with pytest.raises(
        CouldNotRunError,
        match=r"ended with exit code 1: .*none\.py",
    ):
        measure("http://127.0.0.1:1/", plan)


def _tool(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Return a stand-in for Locust."""
    tool = folder / "python"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tool))


def test_a_locust_that_is_not_installed_could_not_measure(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _tool(tmp_path, monkeypatch, "echo 'No module named locust' >&2; exit 1")
    with pytest.raises(CouldNotRunError, match=r"exit code 1: No module named locust$"):
        measure("http://127.0.0.1:1/", plan)


def test_unexpected_output_of_locust_could_not_measure(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _tool(tmp_path, monkeypatch, 'echo "[]" >"$LOAD_FOLDER/worker-1.json"')
    with pytest.raises(CouldNotRunError, match="report of a Locust worker is invalid"):
        measure("http://127.0.0.1:1/", plan)


def test_a_hanging_locust_is_killed_with_its_children(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator, "_OVERHEAD_SECONDS", -15.5)  # half of one of 1 + 5 + 10 seconds
    _tool(tmp_path, monkeypatch, f"sleep 60 & echo $! >{tmp_path}/child; wait")
    with pytest.raises(CouldNotRunError, match="Locust did not end within 0 seconds"):
        measure("http://127.0.0.1:1/", plan)
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 10
    while _runs(child):
        assert time.monotonic() < deadline


def _runs(pid: int) -> bool:
    state, _parent = _stat(pid)
    return state not in {"", "Z"}


def _locust() -> int:
    """Return the Locust process that this process started."""
    (found,) = (
        each
        for each in _children(os.getpid())
        if b"locust" in Path(f"/proc/{each}/cmdline").read_bytes()
    )
    return found


def _children(pid: int) -> list[int]:
    processes = (int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit())
    return [each for each in processes if _stat(each)[1] == str(pid)]


def _stat(pid: int) -> tuple[str, str]:
    """Return the state and the parent of a process; empty if it does not exist."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return "", ""
    state, parent = stat.rpartition(")")[2].split()[:2]
    return state, parent
