"""SARIF: its form, GitHub's requirements, and any number of findings."""

from __future__ import annotations

import json
import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from pipeline.gates.report.findings import Finding, fingerprints, ordered
from pipeline.gates.report.sarif import document
from pipeline.gates.report.waivers import Result, Waiver

# Written from chapter 3 of the standard: the parts in use, closed against all else.
SCHEMA = json.loads((Path(__file__).parent / "sarif.schema.json").read_text())
_TEXT = st.text(max_size=20)
_FINDING = st.builds(
    Finding,
    tool=st.sampled_from(["bandit", "zizmor"]),
    rule=st.text(min_size=1, max_size=5),
    message=_TEXT,
    path=st.sampled_from(["", "a.py", "b/c d.py", "ü.py"]),
    line=st.integers(0, 5),
    severity=st.sampled_from(["error", "warning"]),
    subject=_TEXT,
)


def _document(*findings: Finding, tools: tuple[str, ...] = ()) -> dict[str, Any]:
    results = [Result(f, known) for f, known in zip(findings, fingerprints(findings), strict=True)]
    text = document("security", results, tools)
    made: dict[str, Any] = json.loads(text)
    return made


def _results(made: dict[str, Any]) -> list[dict[str, Any]]:
    return [result for run in made["runs"] for result in run["results"]]


@given(st.lists(_FINDING, max_size=8))
def test_every_document_has_the_standards_form(findings: list[Finding]) -> None:
    made = _document(*findings, tools=("bandit",))
    Draft7Validator(SCHEMA).validate(made)
    assert len(_results(made)) == len(findings)
    for run in made["runs"]:
        for result in run["results"]:
            assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    # Code scanning accepts one run per category.
    categories = [run["automationDetails"]["id"] for run in made["runs"]]
    assert len(set(categories)) == len(categories)


def test_the_schema_rejects_what_the_standard_forbids() -> None:
    good = _document(Finding("bandit", "B307", "eval", "a.py", 1))
    for key in ("version", "runs"):
        assert not Draft7Validator(SCHEMA).is_valid({k: v for k, v in good.items() if k != key})
    (result,) = _results(good)
    for key, value in (
        ("level", "fatal"),
        ("message", "eval"),
        ("ruleIndex", -2),
        ("partialFingerprints", {"a": 1}),
        ("suppressions", [{"status": "accepted"}]),
    ):
        result[key], before = value, result.get(key)
        assert not Draft7Validator(SCHEMA).is_valid(good), key
        result[key] = before
        if before is None:
            del result[key]
    result["locations"][0]["physicalLocation"]["region"]["startLine"] = 0
    assert not Draft7Validator(SCHEMA).is_valid(good)


@given(st.lists(_FINDING, max_size=8).flatmap(lambda x: st.tuples(st.just(x), st.permutations(x))))
def test_the_order_of_findings_does_not_change_the_document(
    pair: tuple[list[Finding], list[Finding]],
) -> None:
    one, other = pair
    assert _document(*ordered(one)) == _document(*ordered(other))
    assert sorted(fingerprints(one)) == sorted(fingerprints(other))


@given(st.lists(_FINDING, max_size=8), st.integers(1, 100))
def test_fingerprints_survive_moved_lines_and_are_unique(
    findings: list[Finding], down: int
) -> None:
    moved = [
        Finding(f.tool, f.rule, f.message, f.path, f.line + down, f.severity, f.subject)
        for f in findings
    ]
    assert fingerprints(moved) == fingerprints(findings)
    assert len(set(fingerprints(findings))) == len(findings)


def test_a_finding_without_a_line_is_identified_by_its_own_fingerprint() -> None:
    packages = [Finding("pip-audit", "CVE-1", "bad", "lock.txt", subject=x) for x in ("a", "b")]
    marks = [
        r["partialFingerprints"]["primaryLocationLineHash"] for r in _results(_document(*packages))
    ]
    assert len(set(marks)) == 2
    (lined,) = _results(_document(Finding("bandit", "B307", "eval", "a.py", 1)))
    assert "primaryLocationLineHash" not in lined["partialFingerprints"]


def test_a_finding_without_a_file_has_a_location_too() -> None:
    (result,) = _results(_document(Finding("nag", "IAM5", "wildcard", subject="Role")))
    place = result["locations"][0]
    assert place["physicalLocation"]["artifactLocation"]["uri"] == "pyproject.toml"
    assert place["logicalLocations"] == [{"name": "Role"}]


def _many(count: int) -> list[Finding]:
    return [
        Finding(
            "bandit",
            f"B{n % 50}",
            "x" * 200,
            f"folder/{n % 700}.py",
            n,
            "error" if n == count - 1 else "warning",
            f"line {n}",
        )
        for n in range(count)
    ]


def _seconds(count: int) -> float:
    findings = _many(count)
    began = time.process_time()
    results = [Result(f, known) for f, known in zip(findings, fingerprints(findings), strict=True)]
    document("security", results)
    return time.process_time() - began


@pytest.mark.parametrize("count", [100_000])
def test_a_hundred_thousand_findings(count: int) -> None:
    findings = _many(count)
    made = _document(*findings)
    Draft7Validator(SCHEMA).validate(made)
    (run,) = made["runs"]
    assert len(run["results"]) == 5000
    assert run["results"][0]["level"] == "error", "the worst is not what is left out"
    (notice,) = run["invocations"][0]["toolExecutionNotifications"]
    assert notice["message"]["text"] == "95000 of 100000 results were left out"
    # GitHub accepts 10 MB of gzip; this is uncompressed.
    assert len(json.dumps(made)) < 10_000_000
    # Ten times as many take not much more than ten times as long.
    assert _seconds(count) < 30 * _seconds(count // 10)


def test_an_overlong_text_is_truncated() -> None:
    (result,) = _results(_document(Finding("b", "r", "m" * 10**6, "a.py", 1, subject="s" * 10**6)))
    assert len(json.dumps(result)) < 5000


def test_a_waiver_is_a_suppression_and_its_finding_comes_last() -> None:
    waived, left = Finding("b", "r", "m", "a.py", 1), Finding("b", "r", "m", "z.py", 1, "warning")
    waiver = Waiver(
        gate="security",
        rule="r",
        path="a.py",
        reason="for a good reason",
        owner="@us",
        expires=date(2027, 1, 1),
    )
    text = document("security", [Result(waived, "0" * 32, waiver), Result(left, "1" * 32)])
    made = json.loads(text)
    Draft7Validator(SCHEMA).validate(made)
    first, last = _results(made)
    assert "suppressions" not in first
    assert last["suppressions"][0]["kind"] == "external"
