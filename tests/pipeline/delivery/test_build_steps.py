"""The packages of each build, compared with the imports of its gates."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.builds import commands
from pipeline.delivery.build_steps import CACHED_DOWNLOADS
from pipeline.gates.report.gate_report import EXPORT, VARIABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.pipeline.conftest import Assembly, Template

ROOT = Path(__file__).parents[3]
_LOCK = re.compile(r"pipeline\.builds\.downloads packages requirements/(\w+)\.txt")
_STARTED = {
    "dynamic": ("schemathesis.cli", "service/delivery/dynamic/hooks.py"),
    "infrastructure": ("cfnlint",),
    "integration": (
        "pytest_timeout", "tests/conftest.py", "tests/service/integration/test_deployed.py",
    ),
    "load": ("locust.main", "service/delivery/load/profile.py"),
    "provenance": ("pipeline.builds.bundle",),
    "security": ("bandit", "deptry", "kingfisher"),
    "supply_chain": ("pip_audit",),
    "synthesis": ("pipeline.app",),
    "unit": (
        "pytest_timeout", "tests/conftest.py",
        *(str(path.relative_to(ROOT)) for path in ROOT.glob("tests/service/app/test_*.py")),
    ),
}  # fmt: skip
"""Modules and files that a gate imports in a child process."""
_IMPORT = """
import importlib, os, re, runpy, sys
from importlib.metadata import packages_distributions

own, locked, modules = sys.argv[1:4]
normal = lambda name: re.sub(r"[-_.]+", "-", name).lower()
packages = {
    module for module, found in packages_distributions().items()
    if not {normal(each) for each in found} & set(locked.split())
}

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in packages - set(own.split()):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
os.environ["URL"] = "https://example.com"
for each in modules.split():
    if each.endswith(".py"):
        runpy.run_path(each)
    else:
        importlib.import_module(each)
"""


def _builds(delivery: Template) -> dict[str, list[str]]:
    """Return the gates of the builds, by the lock that each build installs."""
    found: dict[str, list[str]] = {}
    for project in delivery.of_type("AWS::CodeBuild::Project").values():
        text = project["Source"]["BuildSpec"]
        phases = json.loads(text)["phases"] if text.startswith("{") else {}
        installed = _LOCK.findall(json.dumps(phases.get("install", {})))
        gates = [
            program.split()[0]
            for line in phases.get("build", {}).get("commands", ())
            for program in commands.run(line)
        ]
        for lock in installed:
            found.setdefault(lock, []).extend(gates)
    return found


def _imports(lock: str, modules: Sequence[str]) -> subprocess.CompletedProcess[str]:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    locked = " ".join(re.findall(r"^([\w.-]+)==", text, re.MULTILINE))
    own = "console environments localcloud pipeline service tests"
    return subprocess.run(
        [sys.executable, "-c", _IMPORT, own, locked, " ".join(modules)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_each_build_installs_what_its_gates_import(assembly: Assembly) -> None:
    builds = _builds(assembly.delivery)
    assert {each for gates in builds.values() for each in gates} >= {
        *_STARTED, "attest", "changes", "synthetic", "window",
    }  # fmt: skip
    for lock, gates in builds.items():
        for each in gates:
            gate = "pipeline.gates.load.__main__" if each == "load" else f"pipeline.gates.{each}"
            for modules in ((gate,), _STARTED.get(each, ())):
                done = _imports(lock, modules)
                assert done.returncode == 0, f"requirements/{lock}.txt, {each}: {done.stderr}"


@pytest.mark.parametrize(
    ("lock", "module"),
    [("release", "pytest"), ("scanners", "boto3"), ("template", "aws_cdk"), ("load", "fastapi")],
)
def test_no_build_installs_packages_that_only_other_builds_need(lock: str, module: str) -> None:
    done = _imports(lock, [module])
    assert f"No module named '{module}'" in done.stderr


def test_each_build_that_installs_keeps_its_downloads(assembly: Assembly) -> None:
    for project in assembly.delivery.of_type("AWS::CodeBuild::Project").values():
        text = project["Source"]["BuildSpec"]
        if _LOCK.search(text):
            assert json.loads(text)["cache"] == {"paths": [CACHED_DOWNLOADS]}


def test_each_build_that_runs_gates_exports_their_reports(assembly: Assembly) -> None:
    exporting = 0
    for project in assembly.delivery.of_type("AWS::CodeBuild::Project").values():
        text = project["Source"]["BuildSpec"]
        spec = json.loads(text) if text.startswith("{") else {}
        phases = spec.get("phases", {})
        lines = phases.get("build", {}).get("commands", ())
        if any(commands.run(each) for each in lines):
            assert spec["env"]["exported-variables"] == [VARIABLE]
            assert phases["post_build"] == {"commands": [EXPORT]}
            exporting += 1
    assert exporting > 5
