from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from console.gates import Answer, answer, answer_of_build, report

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["gate load: passed: p95 was 80 ms"], Answer("load", "passed", "p95 was 80 ms")),
        (["gate audit: not run: until May"], Answer("audit", "not run", "until May")),
        (["pip: gate closed", "exit status 1"], None),
        (
            ["[Container] Entering phase BUILD", "gate load: refused: p95 was 312 ms: too slow\n"],
            Answer("load", "refused", "p95 was 312 ms: too slow"),
        ),
        (
            ["gate window: refused: could not run, which refuses: AWS did not tell the time"],
            Answer("window", "refused", "could not run, which refuses: AWS did not tell the time"),
        ),
        (["gate a: refused: first", "gate b: refused: last"], Answer("b", "refused", "last")),
        (["gate a: passed: first", "gate b: passed: last"], Answer("b", "passed", "last")),
        # Side by side, the one that refuses may be the first to speak.
        (["gate a: refused: first", "gate b: passed: last"], Answer("a", "refused", "first")),
    ],
)
def test_an_answer_is_the_last_sentence_of_a_gate_that_refused_or_of_any(
    lines: list[str], expected: Answer | None
) -> None:
    assert answer(lines) == expected


def test_a_build_that_ended_before_it_wrote_a_line_refuses_nothing(aws: Any) -> None:
    aws.answers[("codebuild", "batch_get_builds")] = {"builds": [{"logs": {"groupName": "g"}}]}
    assert answer_of_build(aws, "project:1") is None


_SUMMARY = {
    "gate": "security",
    "status": "passed",
    "sentence": "nothing found",
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
