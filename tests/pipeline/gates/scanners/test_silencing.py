"""A suppressing comment is a finding, whether the scanner obeys it or not."""

from __future__ import annotations

from importlib.machinery import all_suffixes
from typing import Any

import pytest

from pipeline.builds.bundle import ROOT
from pipeline.gates.scanners.silencing import scan

_JOB = "name: x\non: push\njobs:\n  x:\n    steps:\n"


@pytest.mark.parametrize(
    ("path", "text", "rule"),
    [
        ("service/a.py", "x = 1  # nosec\n", "nosec"),
        ("service/a.py", "x = 1  #nosec B101, B102\n", "nosec"),
        ("service/a.py", "x = 1  # noqa: E501  # nosec: B101\n", "nosec"),
        ("tests/a.py", "# nosec\n", "nosec"),
        ("bin/tool", "#!/usr/bin/python3\nx = 1  # nosec\n", "nosec"),
        ("service/broken.py", "def (:  # nosec\n", "nosec"),
        ("service/a.py", "import x  # deptry: ignore\n", "deptry-ignore"),
        ("service/a.py", "import x  # deptry:ignore[DEP001]\n", "deptry-ignore"),
        (".github/workflows/a.yml", f"{_JOB}    - run: x # zizmor: ignore[all]\n", "zizmor-ignore"),
        ("a.yaml", "x: y # kingfisher:ignore\n", "kingfisher-ignore"),
        ("service/a.py", "x = 1  # gitleaks:allow\n", "kingfisher-ignore"),
        (".bandit", "[bandit]\n", "scanner-configuration"),
        ("service/deep/.bandit", "[bandit]\n", "scanner-configuration"),
        ("ci/bandit-baseline.json", "{}\n", "scanner-configuration"),
        (".github/zizmor.yml", "rules: {}\n", "scanner-configuration"),
        ("kingfisher.yaml", "x: 1\n", "scanner-configuration"),
        ("pyproject.toml", "[tool.bandit]\nskips = []\n", "scanner-configuration"),
        ("pyproject.toml", "[tool.deptry.per_rule_ignores]\n", "scanner-configuration"),
        ("sub/pyproject.toml", "[tool.deptry]\n", "scanner-configuration"),
        ("pytest.py", "", "shadowing-module"),
        ("_pytest/__init__.py", "", "shadowing-module"),
        ("json.py", "", "shadowing-module"),
        ("tomllib.pyc", "", "shadowing-module"),
        ("tomllib/__init__.pyc", "", "shadowing-module"),
        ("tomllib/__init__.abi3.so", "", "shadowing-module"),
        ("tomllib.cpython-313-x86_64-linux-gnu.so", "", "shadowing-module"),
        ("pydantic.so", "", "shadowing-module"),
        *((f"tomllib{suffix}", "", "shadowing-module") for suffix in all_suffixes()),
        ("service/storage.pyc", "", "compiled-module"),
        ("service/__pycache__/storage.cpython-313.pyc", "", "compiled-module"),
        ("service/fast.cpython-313-x86_64-linux-gnu.so", "", "compiled-module"),
        ("fast.abi3.so", "", "compiled-module"),
        ("setup.cfg", "[bandit]\nskips = B101\n", "scanner-configuration"),
        ("tox.ini", "[tool:bandit]\n", "scanner-configuration"),
    ],
)
def test_each_form_of_suppression_is_a_finding(
    checkout: Any, path: str, text: str, rule: str
) -> None:
    checkout.write(path, text)
    (found,) = scan(checkout.root).findings
    assert (found.rule, found.path, found.severity) == (rule, path, "error")
    assert found.subject


@pytest.mark.parametrize(("name", "target"), [("json.py", "a.txt"), ("json", "service")])
def test_a_symlink_that_hides_a_module_is_a_finding(checkout: Any, name: str, target: str) -> None:
    checkout.write("a.txt", "")
    checkout.write("service/__init__.py", "")
    (checkout.root / name).symlink_to(target)
    (found,) = scan(checkout.root).findings
    assert (found.rule, found.path) == ("shadowing-module", name)


def test_text_that_only_mentions_a_suppression_is_no_finding(checkout: Any) -> None:
    checkout.write("service/a.py", 'HELP = "write # nosec, # deptry: ignore or # zizmor: ignore"\n')
    checkout.write("docs/gates.md", "`# nosec` and `kingfisher:ignore` have no effect.\n")
    assert scan(checkout.root).findings == ()


def test_this_repository_suppresses_no_scanner() -> None:
    assert scan(ROOT).findings == ()
