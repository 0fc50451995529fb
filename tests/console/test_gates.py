from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from console.gates import answers, answers_of_build, report
from pipeline.gates.answer import Answer

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


_SUMMARY = {
    "gate": "security",
    "status": "passed",
    "sentence": "nothing found",
    "next": None,
    "seconds": 2.5,
    "findings": 1,
    "waived": 2,
    "details": {"tools": {"bandit": {"seconds": 1.5, "looked at": "3 lines"}}},
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
