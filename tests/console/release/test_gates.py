from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from console.release.gates import report, reports_of_builds
from pipeline.gates.report.gate_report import VARIABLE, GateReport
from tests.console.fakes import builds

if TYPE_CHECKING:
    from pathlib import Path

    from tests.console.fakes import FakeAws

UNIT = GateReport("unit", "passed", "9 tests", seconds=9.5)
SYNTHESIS = GateReport("synthesis", "refused", "1 finding", "fix it", ("PH100",), findings=1)
LOAD = GateReport("load", "refused", "p50 is 61 ms", "make it faster", ("p50-regression",))


def test_reports_of_builds_are_returned_in_the_requested_order(aws: FakeAws) -> None:
    aws.answers[("codebuild", "batch_get_builds")] = builds(
        {"load:1": [LOAD], "synth:1": [UNIT, SYNTHESIS]}
    )
    found = reports_of_builds(aws, ["synth:1", "gone:1", "load:1"])
    assert found == (UNIT, SYNTHESIS, LOAD)
    assert reports_of_builds(aws, []) == ()


def test_more_builds_than_one_call_accepts_are_read_in_several_calls(aws: FakeAws) -> None:
    names = [f"load:{number}" for number in range(250)]
    aws.answers[("codebuild", "batch_get_builds")] = builds(dict.fromkeys(names, (LOAD,)))
    assert reports_of_builds(aws, names) == (LOAD,) * 250
    asked = [parameters["ids"] for _, _, _, parameters in aws.asked]
    assert [len(each) for each in asked] == [100, 100, 50]


@pytest.mark.parametrize(
    "build",
    [
        {},
        {"exportedEnvironmentVariables": []},
        {"exportedEnvironmentVariables": [{"name": VARIABLE, "value": ""}]},
        {"exportedEnvironmentVariables": [{"name": VARIABLE, "value": '{"gate": "un'}]},
        {"exportedEnvironmentVariables": [{"name": "URL", "value": LOAD.exported()}]},
    ],
    ids=["no variables", "none exported", "its gates were killed", "cut", "another variable"],
)
def test_a_build_that_exported_no_report_has_none(aws: FakeAws, build: dict[str, object]) -> None:
    answer = {"builds": [{"id": "unit:1", **build}]}
    aws.answers[("codebuild", "batch_get_builds")] = answer
    assert reports_of_builds(aws, ["unit:1"]) == ()


def test_a_report_is_read_with_the_duration_of_each_tool(tmp_path: Path) -> None:
    tools = {"bandit": {"seconds": 1.5, "looked at": "3 lines"}, "deptry": {}}
    replace(UNIT, details={"tools": tools}).write(tmp_path)
    found = report(tmp_path / "unit.json")
    assert found is not None
    assert (found.status, found.seconds) == ("passed", 9.5)
    assert found.tools == {"bandit": 1.5}


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", json.dumps({"gate": "x"}),
        json.dumps({"gate": "unit", "status": "fine", "sentence": "x"}),
    ],
)  # fmt: skip
def test_an_unreadable_report_is_ignored(tmp_path: Path, text: str) -> None:
    path = tmp_path / "security.json"
    assert report(path) is None
    path.write_text(text)
    assert report(path) is None
