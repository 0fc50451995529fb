"""The security gate: all scanners, on the whole checkout and on staged files."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.gates import security
from pipeline.gates.gate import main
from pipeline.gates.report.catalogue import NAMES
from pipeline.gates.report.result import CouldNotRunError
from pipeline.gates.scanners import dependencies, sast, secret_detection, silencing, workflows
from pipeline.gates.scanners.dependencies import Scope
from pipeline.gates.scanners.tool import Scan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Secret = Callable[[str], str]

_EVAL = "def run(text):\n    return eval(text)\n"
_INJECTION = """name: bad
on: push
permissions: {}
concurrency: {group: bad, cancel-in-progress: true}
jobs:
  bad:
    runs-on: ubuntu-24.04
    steps:
      - run: echo ${{ github.event.head_commit.message }}
"""
_SCANNERS = (sast, silencing, secret_detection, workflows, dependencies)


@pytest.fixture(autouse=True)
def root(checkout: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(security, "ROOT", checkout.root)
    monkeypatch.setattr(dependencies, "SCOPES", (Scope("service", ("service",)),))
    found: Path = checkout.root
    return found


def _report(reports: Path) -> Any:
    return json.loads((reports / "security.json").read_text())


def test_a_clean_tree_passes_and_the_summary_names_the_scanned_files(reports: Path) -> None:
    assert main("security", security.run) == 0
    report = _report(reports)
    assert report["sentence"] == (
        "nothing found: bandit in 3 lines, silencing in 3 files, "
        "kingfisher in 1 commit and 0 files not "
        "committed, zizmor in 1 file, deptry in 1 group"
    )
    assert set(report["details"]["tools"]) == {
        "bandit",
        "silencing",
        "kingfisher",
        "zizmor",
        "deptry",
    }
    sarif = json.loads((reports / "security.sarif").read_text())
    assert {run["tool"]["driver"]["name"] for run in sarif["runs"]} == set(
        report["details"]["tools"]
    )


@pytest.mark.parametrize(
    ("path", "text", "rule"),
    [
        ("service/hole.py", _EVAL, "bandit B307 at service/hole.py:2"),
        ("service/keys.py", "github", "kingfisher betterleaks.github-pat at service/keys.py:1"),
        (
            ".github/workflows/bad.yml",
            _INJECTION,
            "zizmor template-injection at .github/workflows/bad.yml:9",
        ),
        ("service/more.py", "import numpy\n", "deptry DEP00"),
    ],
)
def test_each_planted_defect_refuses(
    checkout: Any, secret: Secret, reports: Path, path: str, text: str, rule: str
) -> None:
    checkout.write(path, secret(text) if text == "github" else text)
    checkout.commit()
    assert main("security", security.run) == 1
    report = _report(reports)
    assert rule in report["sentence"]
    assert report["findings"] == 1


def test_a_key_that_a_later_commit_removed_refuses(
    checkout: Any, secret: Secret, reports: Path
) -> None:
    checkout.write("service/keys.py", secret("aws"))
    checkout.commit()
    checkout.git("rm", "--quiet", "service/keys.py")
    checkout.commit()
    assert main("security", security.run) == 1
    assert "betterleaks.aws-access-token" in _report(reports)["sentence"]


@pytest.mark.parametrize("scanner", _SCANNERS)
def test_a_failed_scanner_refuses_and_others_findings_are_reported(
    checkout: Any, reports: Path, scanner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_root: Path) -> Scan:
        raise CouldNotRunError("it broke")

    monkeypatch.setattr(scanner, "scan", broken)
    checkout.write("service/hole.py", _EVAL)
    checkout.write("service/more.py", "import numpy\n")
    assert main("security", security.run) == 2
    report = _report(reports)
    assert report["sentence"].startswith("could not run, which refuses: it broke; others: ")
    assert ("B307" in report["sentence"]) == (scanner is not sast)


def test_a_bug_of_a_scanner_refuses(monkeypatch: pytest.MonkeyPatch, reports: Path) -> None:
    def buggy(_root: Path) -> Scan:
        raise KeyError("results")

    monkeypatch.setattr(sast, "scan", buggy)
    assert main("security", security.run) == 2
    assert "this is a bug of the gate: KeyError" in _report(reports)["sentence"]


def test_the_scanners_run_in_parallel(monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(len(_SCANNERS), timeout=60)

    def meet(_root: Path) -> Scan:
        together.wait()
        return Scan("tool", (), "a meeting")

    for scanner in _SCANNERS:
        monkeypatch.setattr(scanner, "scan", meet)
    assert security.run().status == "passed"


class TestStaged:
    @pytest.mark.parametrize(
        ("path", "text", "rule"),
        [
            ("service/hole.py", _EVAL, "B307"),
            ("keys.txt", "github", "betterleaks.github-pat"),
            (".github/workflows/bad.yml", _INJECTION, "template-injection"),
            ("service/more.py", "import numpy\n", "DEP00"),
        ],
    )
    def test_each_planted_defect_refuses(
        self, checkout: Any, secret: Secret, path: str, text: str, rule: str
    ) -> None:
        checkout.write(path, secret(text) if text == "github" else text)
        checkout.git("add", path)
        outcome = security.run_staged()
        assert outcome.status == "refused"
        assert rule in outcome.sentence

    def test_unstaged_changes_are_not_scanned(self, checkout: Any, secret: Secret) -> None:
        checkout.write("README.md", "words\n")
        checkout.git("add", "README.md")
        checkout.write("service/hole.py", _EVAL)
        checkout.write("keys.txt", secret("aws"))
        outcome = security.run_staged()
        assert (outcome.status, outcome.sentence) == (
            "passed",
            "nothing found: kingfisher in 1 staged file, silencing in 1 file",
        )

    def test_a_deleted_file_is_not_scanned(self, checkout: Any) -> None:
        checkout.write("service/hole.py", _EVAL)
        checkout.commit()
        checkout.git("rm", "--quiet", "service/hole.py")
        assert security.run_staged().status == "passed"


def test_the_catalogue_lists_the_security_gate() -> None:
    assert "security" in NAMES
