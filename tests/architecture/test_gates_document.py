"""docs/gates.md, compared with the existing gates and the tests that it names."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.gates.report.catalogue import GATES
from tests.architecture.cited import named_tests

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "gates.md").read_text()
# The items of the reference architecture's application pipeline.
ITEMS = """
R Pre-Commit Hooks
r IDE Plugins
R Application Source Code
R Test Source Code
R Infrastructure Source Code
r Static Assets
R Dependency Manifests
R Static Configuration
r Database Source Code
R Build Code
R Unit Tests
R Code Quality
R Secrets Detection
R Static Application Security Testing (SAST)
R Package and Store Artifact(s)
R Software Composition Analysis (SCA)
R Software Bill of Materials (SBOM)
r Launch Environment
r Database Deploy
r Deploy Software
R Integration Tests
R Acceptance Tests
R Launch Environment
r Database Deploy
R Deploy Software
R Application Monitoring & Logging
R Synthetic Tests
r Performance Tests
r Resilience Tests
r Dynamic Application Security Testing (DAST)
R Manual Approval
r Database Deploy
R Progressive Deployment
r Synthetic Tests
"""


def _rows(heading: str) -> list[list[str]]:
    """Return the cells of the rows of the table with this heading."""
    lines = TEXT.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith(heading))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_each_item_of_the_reference_architecture_has_a_row() -> None:
    rows = _rows("| Stage | Item |")
    assert [f"{row[2].strip('*')} {row[1]}" for row in rows] == ITEMS.strip().splitlines()


def test_each_named_test_exists_and_each_gap_is_declared() -> None:
    for _, item, _, what, _, test in _rows("| Stage | Item |"):
        if test:
            file, name = test.strip("`").split("::", 1)
            assert name in named_tests(ROOT / file), f"{item}: {test}"
        else:
            assert re.match(r"\*(none|not yet)\*", what), f"{item} names no test"


def test_each_gate_has_a_row_and_is_a_program() -> None:
    rows = {row[0].strip("`"): row[2] for row in _rows("| Gate | asks |")}
    needs = {"": "", "URL": "a URL", "AWS": "AWS", "release": "a release"}
    assert rows == {gate.name: needs[gate.needs] for gate in GATES}


def test_each_program_that_is_a_gate_is_in_the_catalogue() -> None:
    folder = ROOT / "pipeline" / "gates"
    programs = {
        name
        for path in folder.rglob("*.py")
        for name in re.findall(r"\bmain\(\"(\w+)\"", path.read_text())
    }
    assert programs == {gate.name for gate in GATES}
