from __future__ import annotations

from typing import Any

import pytest

from console.gates import Answer, answer, answer_of_build


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
    ],
)
def test_an_answer_is_the_last_sentence_of_a_gate(
    lines: list[str], expected: Answer | None
) -> None:
    assert answer(lines) == expected


def test_a_build_that_ended_before_it_wrote_a_line_refuses_nothing(aws: Any) -> None:
    aws.answers[("codebuild", "batch_get_builds")] = {"builds": [{"logs": {"groupName": "g"}}]}
    assert answer_of_build(aws, "project:1") is None
