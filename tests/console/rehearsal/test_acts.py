from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from console.errors import ConsoleError
from console.rehearsal.acts import Act, Edit, acts
from pipeline.gates.report.catalogue import NAMES

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("act", acts(), ids=lambda act: act.name)
def test_every_act_fits_this_checkout_and_compiles(act: Act, tmp_path: Path) -> None:
    for path in {edit.path for edit in act.edits}:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    for edit in act.edits:
        edit.apply(tmp_path)
    for path in {edit.path for edit in act.edits}:
        text = (tmp_path / path).read_text(encoding="utf-8")
        assert text != (ROOT / path).read_text(encoding="utf-8")
        compile(text, path, "exec")


@pytest.mark.parametrize(("text", "times"), [("", 0), ("a = 1\na = 1\n", 2)])
def test_an_edit_that_does_not_fit_is_an_error(tmp_path: Path, text: str, times: int) -> None:
    (tmp_path / "module.py").write_text(text)
    with pytest.raises(ConsoleError, match=rf"module.py: found 'a = 1' {times} times"):
        Edit("module.py", "a = 1\n", "a = 2\n").apply(tmp_path)
    assert (tmp_path / "module.py").read_text() == text


def test_a_refusal_names_the_gate_and_its_rule() -> None:
    for act in acts():
        assert (act.gate is None) == (act.rule is None) == (act.expected != "refused")
        assert act.gate is None or act.gate in NAMES


def test_the_acts_are_those_in_the_documentation() -> None:
    assert [(act.name, act.expected) for act in acts()] == [
        ("good-release", "promoted"),
        ("bad-release", "rolled_back"),
        ("pipeline-change", "promoted"),
        ("refused-release", "refused"),
    ]
