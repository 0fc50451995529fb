from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from console.gates import Answer, answers, answers_of_build, report

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["gate load: passed: p95 was 80 ms"], [Answer("load", "passed", "p95 was 80 ms")]),
        (["gate audit: not run: until May"], [Answer("audit", "not run", "until May")]),
        (["pip: gate closed", "exit status 1"], []),
        (
            ["[Container] Entering phase BUILD", "gate load: refused: p95 was 312 ms: too slow\n"],
            [Answer("load", "refused", "p95 was 312 ms: too slow")],
        ),
        (
            ["gate window: refused: could not run, which refuses: AWS told no time"],
            [Answer("window", "refused", "could not run, which refuses: AWS told no time")],
        ),
        (
            ["gate a: refused: first", "gate b: passed: last"],
            [Answer("a", "refused", "first"), Answer("b", "passed", "last")],
        ),
        (["gate a: refused: first", "gate a: passed: last"], [Answer("a", "passed", "last")]),
        # Side by side with tests, in whose line of dots it speaks.
        (
            ["...  [100%]gate a: refused: a file differs"],
            [Answer("a", "refused", "a file differs")],
        ),
    ],
)
def test_each_gate_of_a_build_answers_by_its_last_sentence(
    lines: list[str], expected: list[Answer]
) -> None:
    assert list(answers(lines)) == expected


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
