"""docs/fidelity.md: every rule and every planted fault names a test that exists."""

from __future__ import annotations

import re
from pathlib import Path

from tests.architecture.cited import named_tests

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "fidelity.md").read_text()
RULES = TEXT.partition("\n## ")[0]
PLANTED = TEXT.partition("\n## Planted faults\n")[2].partition("\n## ")[0]
DISAGREEMENTS = TEXT.partition("\n## Disagreements\n")[2].partition("\n## ")[0]
LEAST_RULES, LEAST_FAULTS, LEAST_PERMISSIONS = 25, 16, 20


def _rows(text: str, heading: str) -> list[list[str]]:
    """Return the rows of all tables of a text whose first column has this heading."""
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| ")]
    return [row for row in rows if row[0].strip() != heading]


def _cited(subject: str, test: str) -> list[str]:
    """Return the tests of a row, which must exist."""
    found = re.findall(r"`([^`]+)`", test)
    assert found, subject
    for cited in found:
        file, _, name = cited.partition("::")
        tests = named_tests(ROOT / file)
        assert tests, cited
        assert not name or name in tests, cited
    return list(found)


def test_each_rule_names_its_source_and_a_test_that_exists() -> None:
    rules = _rows(RULES, "Rule")
    assert len(rules) >= LEAST_RULES
    for rule, source, test in rules:
        assert source.strip(), rule
        _cited(rule, test)


def test_each_rule_is_listed_once() -> None:
    cited = [(source.strip(), test.strip()) for _, source, test in _rows(RULES, "Rule")]
    assert sorted(cited) == sorted(set(cited))


def test_each_planted_fault_names_its_failure_and_its_test() -> None:
    """Each test of faults in `tests/planted` has a row, too."""
    platform, _, permissions = PLANTED.partition("\n### Of permissions\n")
    faults, denials = _rows(platform, "Fault"), _rows(permissions, "Fault")
    assert len(faults) >= LEAST_FAULTS
    assert len(denials) >= LEAST_PERMISSIONS
    cited = set()
    for fault, where, test in faults + denials:
        assert where.strip(), fault
        cited |= set(_cited(fault, test))
    planted = {
        f"{path.relative_to(ROOT)}::{name}"
        for path in (ROOT / "tests" / "planted").glob("test_*_faults.py")
        for name in named_tests(path)
        if name.startswith("test_")
    }
    assert planted <= cited


def test_each_disagreement_names_a_report() -> None:
    """A rule that was added at the end of the page is in the wrong table."""
    for report, aws, here in _rows(DISAGREEMENTS, "Report"):
        assert re.fullmatch(r"[\w.-]+/[\w.-]+#\d+", report.strip()), report
        assert aws.strip(), report
        assert here.strip(), report
