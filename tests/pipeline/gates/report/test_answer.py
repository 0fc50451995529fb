"""The one line by which a gate answers the console."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pipeline.gates.report.answer import MAX_LINE_BYTES, Answer, read

REFUSED = Answer("load", "refused", "p50 is 61 ms", "make it faster", ("p50-regression", "rate"))


@pytest.mark.parametrize(
    "answer",
    [
        REFUSED,
        Answer("unit", "passed", "9 tests"),
        Answer("audit", "not run", 'the "résumé" of \n a pithead-gate-answer: {}'),
    ],
)
def test_an_answer_is_read_back_as_it_was_written(answer: Answer) -> None:
    assert read(answer.line()) == answer
    assert answer.line().isascii()
    assert "\n" not in answer.line()


def test_it_is_found_where_another_gate_has_not_ended_its_line_or_writes_on() -> None:
    assert read(f"...  [100%]{REFUSED.line()}...\n") == REFUSED
    assert read(f"pithead-gate-answer: {{pithead-gate-answer: {REFUSED.line()}\n") == REFUSED


@pytest.mark.parametrize(
    "change",
    [
        {"status": "fine"},
        {"rules": None},
        {"rules": [1]},
        {"gate": 1},
        {"more": 1},
    ],
)
def test_another_form_is_no_answer(change: dict[str, object]) -> None:
    marker, _, text = REFUSED.line().partition(" ")
    assert read(f"{marker} {json.dumps(json.loads(text) | change)}") is None
    assert read(f"{marker} []") is None
    assert read("gate load: refused: p50 is 61 ms") is None


@pytest.mark.parametrize("character", ["x", "é", "🚀", "\n"])
def test_a_sentence_is_cut_to_the_limit_of_a_line_and_no_further(character: str) -> None:
    sent = replace(REFUSED, sentence=character * 9000)
    found = read(sent.line())
    assert found is not None
    assert found == replace(sent, sentence=found.sentence)
    assert found.sentence.removesuffix("…") == character * (len(found.sentence) - 1)
    assert MAX_LINE_BYTES - 12 <= len(sent.line()) + 1 <= MAX_LINE_BYTES


def test_of_many_rules_the_first_are_written() -> None:
    rules = tuple(f"CVE-2026-{number}" for number in range(10_000, 11_000))
    found = read(replace(REFUSED, rules=rules).line())
    assert found is not None
    assert 40 < len(found.rules) < 1000
    assert found == replace(REFUSED, rules=rules[: len(found.rules)])
