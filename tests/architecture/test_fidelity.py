"""docs/fidelity.md: every rule names its source and a test that exists."""

from __future__ import annotations

import re
from pathlib import Path

from tests.architecture.cited import named_tests

ROOT = Path(__file__).parents[2]
RULES = (ROOT / "docs" / "fidelity.md").read_text().partition("\n## ")[0]


def test_each_rule_names_its_source_and_a_test_that_exists() -> None:
    rows = [line.strip("|").split("|") for line in RULES.splitlines() if line.startswith("| ")]
    rules = [row for row in rows if row[0].strip() != "Rule"]
    assert len(rules) >= 25
    for rule, source, test in rules:
        assert source.strip(), rule
        found = re.findall(r"`([^`]+)`", test)
        assert found, rule
        for cited in found:
            file, _, name = cited.partition("::")
            tests = named_tests(ROOT / file)
            assert tests, cited
            assert not name or name in tests, cited
