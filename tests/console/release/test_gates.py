from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from console.release.gates import answers, answers_of_build, report
from pipeline.gates.report.answer import Answer

if TYPE_CHECKING:
    from pathlib import Path


def test_each_gate_of_a_build_answers_by_its_last_line() -> None:
    first, last = Answer("a", "refused", "first"), Answer("a", "passed", "last")
    other = Answer("load", "refused", "p50 is 61 ms", "make it faster", ("p50-regression",))
    lines = [
        "[Container] Entering phase BUILD",
        f"{first.line()}\n",
        f"...  [100%]{other.line()}",
        "gate load: passed: as a test printed it",
        last.line(),
        "exit status 1",
    ]
    assert answers(lines) == (last, other)
    assert answers(["pip: gate closed"]) == ()


def test_a_build_that_ended_before_it_wrote_a_line_refuses_nothing(aws: Any) -> None:
    aws.answers[("codebuild", "batch_get_builds")] = {"builds": [{"logs": {"groupName": "g"}}]}
    assert answers_of_build(aws, "project:1") == ()


def _build(aws: Any) -> None:
    build = {
        "logs": {"groupName": "g", "streamName": "s"},
        "phases": [{"phaseType": "BUILD", "phaseStatus": "FAILED"}, {"phaseType": "COMPLETED"}],
        "endTime": aws.now,
    }
    aws.answers[("codebuild", "batch_get_builds")] = {"builds": [build]}


def test_a_log_is_read_until_it_shows_the_end_of_the_builds_commands(aws: Any) -> None:
    """CloudWatch Logs shows lines later than it takes them."""
    refusal = Answer("load", "refused", "p50 is 61 ms")
    shown = ["[Container] Entering phase BUILD", refusal.line(), "Phase complete: BUILD State: F"]
    looks: list[float] = []
    _build(aws)
    aws.answers[("logs", "get_log_events")] = lambda **_: {
        "events": [{"message": line} for line in shown[: 1 + len(looks)]]
    }
    assert answers_of_build(aws, "project:1", looks.append) == (refusal,)
    assert len(looks) == 2


def test_a_line_that_is_not_shown_in_a_minute_is_missing(aws: Any) -> None:
    looks: list[float] = []

    def rest(seconds: float) -> None:
        looks.append(seconds)
        aws.now += timedelta(seconds=20)

    _build(aws)
    aws.answers[("logs", "get_log_events")] = {"events": []}
    assert answers_of_build(aws, "project:1", rest) == ()
    assert len(looks) == 3


_SUMMARY = {
    "gate": "security",
    "status": "passed",
    "sentence": "nothing found",
    "next": None,
    "seconds": 2.5,
    "findings": 1,
    "waived": 2,
    "details": {"tools": {"bandit": {"seconds": 1.5, "scanned": "3 lines"}}},
}


def test_a_report_is_read_with_what_each_tool_took(tmp_path: Path) -> None:
    path = tmp_path / "security.json"
    path.write_text(json.dumps(_SUMMARY))
    found = report(path)
    assert found is not None
    assert (found.status, found.findings, found.waived) == ("passed", 1, 2)
    assert found.tools == {"bandit": 1.5}


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", json.dumps(_SUMMARY | {"status": "fine"}), json.dumps({"gate": "x"})]
)
def test_a_report_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "security.json"
    assert report(path) is None
    path.write_text(text)
    assert report(path) is None
