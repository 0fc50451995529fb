"""Dependencies against imports: deptry, once for each group of pyproject.toml.

Each group is installed alone somewhere: `service` in the function, `gates` and `pipeline` in
builds. So what the code there imports has to be declared by its group, and not by chance by
another; and what a group declares has to be imported there.
"""

from __future__ import annotations

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

from pipeline.gates.findings import Finding
from pipeline.gates.gate import CouldNotRunError
from pipeline.scanners import tool

if TYPE_CHECKING:
    from collections.abc import Sequence

DEPTRY = (sys.executable, "-m", "deptry")


@dataclass(frozen=True)
class Scope:
    """The code that runs where one group is installed."""

    group: str
    folders: tuple[str, ...]


SCOPES = (
    Scope("service", ("service",)),
    Scope(
        "gates",
        (
            "environments",
            "pipeline/gates",
            "pipeline/scanners",
            "pipeline/supply",
            "tests/dynamic",
            "tests/environments",
            "tests/integration",
            "tests/load",
            "tests/service",
        ),
    ),
    Scope("pipeline", ("environments", "pipeline")),
    Scope("localcloud", ("localcloud",)),
    Scope("console", ("console", "environments")),
    Scope("dev", ("tests",)),
)
_UNUSED = "DEP002"


class _Error(tool.Answer):
    code: str
    message: str


class _Place(tool.Answer):
    file: str
    line: int | None


class _Violation(tool.Answer):
    error: _Error
    module: str
    location: _Place


def scopes_of(paths: Sequence[str]) -> tuple[Scope, ...]:
    """Those that a change of these files can make wrong."""
    if "pyproject.toml" in paths:
        return SCOPES
    code = [Path(path) for path in paths if path.endswith(".py")]
    return tuple(
        scope
        for scope in SCOPES
        if any(path.is_relative_to(folder) for path in code for folder in scope.folders)
    )


def scan(root: Path, scopes: Sequence[Scope] | None = None) -> tool.Scan:
    """Look at groups of a checkout, at all of them unless some are named.

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
        raise CouldNotRunError(f"pyproject.toml: dependency-groups: there is no {missing[0]}")
    with ThreadPoolExecutor() as pool:
        found = [*pool.map(lambda scope: _scope(root, scope, groups), scopes)]
    findings = tuple(each for scope in found for each in scope)
    return tool.Scan("deptry", findings, tool.counted(len(scopes), "group"))


def _scope(root: Path, scope: Scope, groups: dict[str, list[Any]]) -> list[Finding]:
    installed = _included(scope.group, groups)
    own = {
        canonicalize_name(Requirement(each).name)
        for each in groups[scope.group]
        if isinstance(each, str)
    }
    command = [*DEPTRY, "--non-dev-dependency-groups", ",".join(installed)]
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "deptry.json")
        done = tool.run(
            "deptry", [*command, "--json-output", str(output), *scope.folders], root, {0, 1}
        )
        text = output.read_text() if output.exists() else ""
    violations = tool.read("deptry", done, list[_Violation], text)
    scanned = re.search(r"Scanning (\d+) files?", done.stderr)
    if scanned is None or not int(scanned[1]):
        raise CouldNotRunError(f"deptry read no file of {', '.join(scope.folders)}")
    if bool(violations) != (done.returncode == 1):
        raise CouldNotRunError(
            f"deptry ended with exit code {done.returncode} and {len(violations)} findings"
        )
    return [
        _finding(each, scope)
        for each in violations
        # What another group brings is used elsewhere, or that group's scope says so.
        if each.error.code != _UNUSED or canonicalize_name(each.module) in own
    ]


def _included(group: str, groups: dict[str, list[Any]]) -> list[str]:
    """A group and all that it includes."""
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
        path=violation.location.file,
        line=violation.location.line or 0,
        subject=f"{group} {module}",
    )
