"""docs/threat-model.md: every threat names a test that exists."""

from __future__ import annotations

import re
from pathlib import Path

from tests.architecture.cited import named_tests

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "threat-model.md").read_text()


def _threats() -> list[list[str]]:
    rows = [line.strip("|").split("|") for line in TEXT.splitlines() if line.startswith("| ")]
    return [row for row in rows if len(row) == 4 and row[0].strip() != "Threat"]


def test_each_threat_names_a_test_that_exists() -> None:
    threats = _threats()
    assert len(threats) >= 30
    for threat, stops, _, test in threats:
        assert stops.strip(), threat
        (cited,) = re.findall(r"`([^`]+)`", test)
        file, _, name = cited.partition("::")
        tests = named_tests(ROOT / file)
        assert tests, cited
        assert not name or name in tests, cited
