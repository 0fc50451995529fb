from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from environments.schema import EnvironmentFileError
from pipeline.gates.gate import CouldNotRunError, Outcome, run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome("passed", "all was well", {"lines": 3}), 0),
        (Outcome("refused", "one was bad"), 1),
        (Outcome("not run", "let by"), 0),
    ],
)
def test_a_gate_answers_by_code_sentence_and_report(
    reports: Path, capsys: pytest.CaptureFixture[str], outcome: Outcome, code: int
) -> None:
    reports.rmdir()  # as in a fresh checkout
    assert run("some", lambda: outcome) == code
    assert capsys.readouterr().out == f"gate some: {outcome.status}: {outcome.sentence}\n"
    assert json.loads((reports / "some.json").read_text()) == {
        "gate": "some",
        "status": outcome.status,
        "sentence": outcome.sentence,
        "details": outcome.details,
    }


@pytest.mark.parametrize("error", [CouldNotRunError("it broke"), EnvironmentFileError("it broke")])
def test_a_gate_that_could_not_run_has_refused(
    reports: Path, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def judge() -> Outcome:
        raise error

    assert run("some", judge) == 2
    sentence = "could not run, which refuses: it broke"
    assert capsys.readouterr().out == f"gate some: refused: {sentence}\n"
    report = json.loads((reports / "some.json").read_text())
    assert (report["status"], report["sentence"]) == ("refused", sentence)
