"""The planted defects of the rehearsal fit this checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rehearsal import test_planted

ROOT = Path(__file__).parents[2]
PLANTED = {
    name: found
    for name, found in vars(test_planted).items()
    if isinstance(found, test_planted.Planted)
}


@pytest.mark.parametrize("name", PLANTED)
def test_each_edit_replaces_a_unique_text(name: str) -> None:
    for edit in PLANTED[name].edits:
        text = (ROOT / edit.path).read_text(encoding="utf-8")
        assert text.count(edit.old) == 1, f"{edit.path}: {edit.old}"
