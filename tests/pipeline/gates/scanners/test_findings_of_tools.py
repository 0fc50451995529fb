"""Findings of bandit, zizmor and deptry in planted defects; their fingerprints."""

from __future__ import annotations

import ast
import tomllib
from importlib.metadata import packages_distributions
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pipeline.builds.bundle import ROOT
from pipeline.gates.report.findings import fingerprints
from pipeline.gates.report.result import CouldNotRunError
from pipeline.gates.scanners import dependencies, sast, workflows
from pipeline.gates.scanners.dependencies import SCOPES, Scope

_EVAL = "def run(text):\n    return eval(text)\n"
_GOOD = "name: fine\non: push\npermissions: {}\njobs:\n  fine:\n    runs-on: ubuntu-24.04\n"


class TestBandit:
    @pytest.mark.parametrize(
        ("code", "rule"),
        [
            ("def run(text):\n    return eval(text)\n", "B307"),
            ("import subprocess\nsubprocess.run('ls ' + input(), shell=True)\n", "B602"),
            ("import pickle\npickle.loads(open('x', 'rb').read())\n", "B301"),
        ],
    )
    def test_planted_vulnerabilities_are_found(self, checkout: Any, code: str, rule: str) -> None:
        checkout.write("service/hole.py", code)
        (found,) = sast.scan(checkout.root).findings
        assert (found.rule, found.path, found.line) == (rule, "service/hole.py", 2)
        assert found.subject == code.splitlines()[1].strip()

    def test_a_moved_finding_keeps_its_fingerprint(self, checkout: Any) -> None:
        hole = "def run(text):\n    return eval(text)\n"
        checkout.write("service/hole.py", hole)
        before = fingerprints(sast.scan(checkout.root).findings)
        checkout.write("service/hole.py", f"import os\n\n\n{hole}")
        assert fingerprints(sast.scan(checkout.root).findings) == before

    @pytest.mark.parametrize(
        "path",
        [
            "service/tests/hole.py",
            "tests/test_hole.py",
            "newfolder/hole.py",
            "service/x.egg/hole.py",
            "service/.hidden/hole.py",
            "hole.py",
        ],
    )
    def test_a_vulnerability_is_found_in_any_folder(self, checkout: Any, path: str) -> None:
        checkout.write(path, _EVAL)
        assert [x.path for x in sast.scan(checkout.root).findings] == [path]

    def test_scripts_without_suffix_and_tracked_ignored_files_are_scanned(
        self, checkout: Any
    ) -> None:
        checkout.write("bin/tool", f"#!/usr/bin/env python3\n{_EVAL}")
        checkout.write("service/hole.py", _EVAL)
        checkout.commit()
        checkout.write(".gitignore", "service/\n")
        assert [x.path for x in sast.scan(checkout.root).findings] == [
            "bin/tool",
            "service/hole.py",
        ]

    @pytest.mark.parametrize(
        "comment", ["# nosec", "#nosec B307", "# nosec: B307,B101", "# text # nosec eval"]
    )
    def test_comments_suppress_nothing(self, checkout: Any, comment: str) -> None:
        checkout.write("service/hole.py", f"def run(text):\n    return eval(text)  {comment}\n")
        assert [x.rule for x in sast.scan(checkout.root).findings] == ["B307"]

    @pytest.mark.parametrize(
        ("path", "text"),
        [
            ("service/.bandit", "[bandit]\nexclude: service\nskips: B307\n"),
            (".bandit", "[bandit]\nskips: B307\n"),
            ("setup.cfg", "[bandit]\nskips = B307\n"),
            ("tox.ini", "[bandit]\nskips = B307\n"),
            ("pyproject.toml", '[tool.bandit]\nskips = ["B307"]\nexclude_dirs = ["service"]\n'),
        ],
    )
    def test_configuration_suppresses_nothing(self, checkout: Any, path: str, text: str) -> None:
        checkout.write("service/hole.py", _EVAL)
        checkout.write(path, text)
        assert [x.rule for x in sast.scan(checkout.root).findings] == ["B307"]

    def test_an_unreadable_file_is_an_error(self, checkout: Any) -> None:
        checkout.write("service/broken.py", "def broken(:\n")
        with pytest.raises(CouldNotRunError, match=r"could not read service/broken\.py: syntax"):
            sast.scan(checkout.root)

    def test_a_checkout_without_python_has_no_findings(self, checkout: Any) -> None:
        checkout.git("rm", "--quiet", "-r", "service")
        with pytest.raises(CouldNotRunError, match="found no Python file to scan"):
            sast.scan(checkout.root)


class TestZizmor:
    def test_workflows_that_run_untrusted_input_are_found(self, checkout: Any) -> None:
        run = "      - run: echo ${{ github.event.pull_request.title }}\n"
        checkout.write(".github/workflows/bad.yml", f"{_GOOD}    steps:\n{run}")
        (found,) = workflows.scan(checkout.root).findings
        assert (found.rule, found.line) == ("template-injection", 8)
        assert found.path == ".github/workflows/bad.yml"
        assert "github.event.pull_request.title" in found.subject

    def test_an_unpinned_action_is_found(self, checkout: Any) -> None:
        steps = "    steps:\n      - uses: actions/cache@v4\n"
        checkout.write(".github/workflows/bad.yml", _GOOD + steps)
        assert [x.rule for x in workflows.scan(checkout.root).findings] == ["unpinned-uses"]

    @pytest.mark.parametrize("path", [".github/zizmor.yml", "zizmor.yml", ".gitignore"])
    def test_comments_configuration_and_gitignore_suppress_nothing(
        self, checkout: Any, path: str
    ) -> None:
        run = "      - run: echo ${{ github.event.pull_request.title }} # zizmor: ignore\n"
        checkout.write(".github/workflows/bad.yml", f"{_GOOD}    steps:\n{run}")
        action = "name: x\ndescription: y\nruns:\n  using: composite\n  steps:\n"
        checkout.write("action.yml", f"{action}  {run.strip()}\n    shell: bash\n")
        checkout.commit()
        configuration = "rules:\n  template-injection:\n    disable: true\n"
        checkout.write(path, "*.yml\n" if path == ".gitignore" else configuration)
        assert [x.path for x in workflows.scan(checkout.root).findings] == [
            ".github/workflows/bad.yml",
            "action.yml",
        ]

    def test_an_invalid_workflow_is_an_error(self, checkout: Any) -> None:
        checkout.write(".github/workflows/bad.yml", "jobs: [\n")
        with pytest.raises(CouldNotRunError, match="zizmor ended with exit code 1"):
            workflows.scan(checkout.root)

    def test_a_checkout_without_workflows_has_no_findings(self, checkout: Any) -> None:
        checkout.git("rm", "--quiet", "-r", ".github")
        with pytest.raises(CouldNotRunError, match="zizmor"):
            workflows.scan(checkout.root)


class TestDeptry:
    @pytest.fixture(autouse=True)
    def _scopes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        scopes = (Scope("service", ("service",)), Scope("gates", ("pipeline",)))
        monkeypatch.setattr(dependencies, "SCOPES", scopes)

    def test_undeclared_transitive_and_unused_dependencies_are_found(self, checkout: Any) -> None:
        checkout.write("pipeline/gate.py", "import click\nimport rich\nimport numpy\n")
        assert [x for x in self._found(checkout) if x[0] != "DEP002"] == [
            ("DEP003", "gates numpy", 3)
        ]
        checkout.write("service/fine.py", "import rich\n")
        assert self._found(checkout) >= {
            ("DEP004", "service rich", 1),
            ("DEP002", "service click", 0),
        }
        checkout.write("pipeline/gate.py", "import click\nimport nobody_knows_it\n")
        assert self._found(checkout) >= {
            ("DEP001", "gates nobody_knows_it", 2),
            ("DEP002", "gates rich", 0),
        }

    def test_a_dependency_of_an_included_group_need_not_be_used(self, checkout: Any) -> None:
        checkout.write("pipeline/gate.py", "import rich\n")
        assert self._found(checkout) == set()

    def test_a_missing_folder_is_an_error(self, checkout: Any) -> None:
        with pytest.raises(CouldNotRunError, match="deptry"):
            dependencies.scan(checkout.root)

    @pytest.mark.parametrize("text", ["", "[dependency-groups", "[dependency-groups]\nother = []"])
    def test_unreadable_dependency_groups_are_an_error(self, checkout: Any, text: str) -> None:
        checkout.write("pyproject.toml", text)
        with pytest.raises(CouldNotRunError, match=r"pyproject\.toml: dependency-groups"):
            dependencies.scan(checkout.root)

    @pytest.mark.parametrize(
        "table",
        [
            '[tool.deptry]\nexclude = ["service"]\n',
            '[tool.deptry]\nignore = ["DEP001"]\n',
            '[tool.deptry.per_rule_ignores]\nDEP001 = ["nobody_knows_it"]\n',
        ],
    )
    def test_configuration_suppresses_nothing(self, checkout: Any, table: str) -> None:
        checkout.write("pipeline/gate.py", "import rich\n")
        checkout.write("service/tests/more.py", "import nobody_knows_it\n")
        text = (checkout.root / "pyproject.toml").read_text()
        checkout.write("pyproject.toml", text + table)
        assert self._found(checkout) == {("DEP001", "service nobody_knows_it", 1)}

    @staticmethod
    def _found(checkout: Any) -> set[tuple[str, str, int]]:
        return {(x.rule, x.subject, x.line) for x in dependencies.scan(checkout.root).findings}


def test_the_module_of_each_package_is_known_where_the_package_is_not_installed() -> None:
    """Gate `security` installs only scanners, so deptry has no package metadata there."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    declared = {
        canonicalize_name(Requirement(each).name)
        for group in groups.values()
        for each in group
        if isinstance(each, str)
    }
    modules: dict[str, set[str]] = {}
    for module, packages in packages_distributions().items():
        for package in packages:
            modules.setdefault(canonicalize_name(package), set()).add(module)
    imported = _imported()
    unknown = {
        package: found
        for package in declared
        if (found := modules.get(package, set()) & imported)
        and dependencies.MODULES.get(package, package.replace("-", "_")) not in found
    }
    assert not unknown, "name them in MODULES of pipeline/gates/scanners/dependencies.py"


def _imported() -> set[str]:
    """Return the top-level modules that code of this repository imports."""
    found = set()
    for scope in SCOPES:
        for folder in scope.folders:
            for path in (ROOT / folder).rglob("*.py"):
                for node in ast.walk(ast.parse(path.read_bytes())):
                    if isinstance(node, ast.Import):
                        found |= {each.name.split(".")[0] for each in node.names}
                    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                        found.add(node.module.split(".")[0])
    return found


def test_each_folder_of_code_belongs_to_a_group() -> None:
    folders = {folder for scope in SCOPES for folder in scope.folders}
    assert folders >= {"console", "environments", "localcloud", "pipeline", "service/app", "tests"}
    assert all((ROOT / folder).is_dir() for folder in folders)


@pytest.mark.parametrize(
    ("path", "groups"),
    [
        ("service/app/main.py", {"service"}),
        ("service/delivery/journey.py", {"pipeline"}),
        ("pipeline/gates/gate.py", {"gates", "pipeline"}),
        ("environments/schema.py", {"gates", "pipeline", "console"}),
        ("README.md", set()),
        ("pyproject.toml", {scope.group for scope in SCOPES}),
    ],
)
def test_a_change_is_checked_against_the_groups_it_affects(path: str, groups: set[str]) -> None:
    assert {scope.group for scope in dependencies.scopes_of([path])} == groups
