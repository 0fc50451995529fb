"""Find hooks, plugins and options by which a tree could change its own test results.

They are read from the files, which code in the tests' process cannot change. The child adds the
hooks that exist at run time (`of_session`).
"""

from __future__ import annotations

import ast
import shlex
import tomllib
from typing import TYPE_CHECKING

from pipeline.gates.report.findings import Finding
from pipeline.gates.report.result import CouldNotRunError
from pipeline.gates.testing import census, patches

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pipeline.gates.testing.session import Session

TOOL = "tests"
_HARMLESS_HOOKS = frozenset(
    {
        "pytest_addoption",
        "pytest_assertrepr_compare",
        "pytest_configure",
        "pytest_generate_tests",
        "pytest_make_parametrize_id",
        "pytest_report_header",
    }
)
"""Hooks whose return value cannot leave a test out or change its outcome."""
_VARIABLES = frozenset({"collect_ignore", "collect_ignore_glob", "pytest_plugins"})
_OPTIONS = frozenset(
    {
        "addopts", "asyncio_default_fixture_loop_scope", "asyncio_mode", "filterwarnings",
        "log_level", "markers", "minversion", "norecursedirs", "pythonpath", "testpaths",
        "timeout", "xfail_strict",
    }
)  # fmt: skip
_ARGUMENTS = ("--strict", "-q", "-v", "-r", "-pno:", "--import-mode=", "--tb=", "--durations=")


def scan(root: Path, folders: Sequence[str]) -> list[Finding]:
    """Return the findings in the files that pytest loads for these folders.

    Raises:
        CouldNotRunError: a file is no Python, or pyproject.toml cannot be read.
    """
    found = [*_options(root)]
    for path in census.python_files(root, folders):
        name = path.relative_to(root).as_posix()
        tree = census.parse(path)
        for subject, line in _altering(tree, conftest=path.name == "conftest.py"):
            found.append(_finding(name, subject, line))
    return found


def of_session(session: Session, known: Sequence[Finding]) -> list[Finding]:
    """Return findings for hooks that exist at run time and were not found in a file."""
    seen = {(each.path, each.subject) for each in known}
    return [
        _finding(path, name, 0)
        for path, name in session.hooks
        if name not in _HARMLESS_HOOKS and (path, name) not in seen
    ]


def _altering(tree: ast.Module, *, conftest: bool) -> Iterator[tuple[str, int]]:
    yield from patches.found(tree)
    for node in ast.walk(tree):
        for name in _names(node):
            internal = name.split(".")[0] == "_pytest" and isinstance(
                node, ast.Import | ast.ImportFrom
            )
            hook = name.startswith("pytest_") and name not in _HARMLESS_HOOKS | _VARIABLES
            if internal or name == "pytest_plugins" or (conftest and (hook or name in _VARIABLES)):
                yield name, getattr(node, "lineno", 0)
        if conftest and isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            yield f"from {node.module} import *", node.lineno


def _names(node: ast.AST) -> Iterator[str]:
    """Yield the names that a node binds at any level, and the modules that it imports."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield node.name
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.Import | ast.ImportFrom):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        for alias in node.names:
            yield alias.asname or alias.name
    elif isinstance(node, ast.keyword) and node.arg == "specname":
        if isinstance(node.value, ast.Constant):
            yield str(node.value.value)
    elif isinstance(node, ast.Constant) and str(node.value).startswith("pytest_"):
        yield str(node.value)  # globals()["pytest_…"] = …


def _options(root: Path) -> Iterator[Finding]:
    file = root / "pyproject.toml"
    if not file.exists():
        return
    try:
        tool = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {}).get("pytest", {})
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CouldNotRunError(f"pyproject.toml: {error}; correct the file") from error
    options = {**tool, **tool.get("ini_options", {})}
    for key in sorted(options.keys() - _OPTIONS - {"ini_options"}):
        yield _finding(file.name, f"tool.pytest {key}", 0)
    given = options.get("addopts", [])
    for argument in shlex.split(given) if isinstance(given, str) else given:
        if not str(argument).startswith(_ARGUMENTS):
            yield _finding(file.name, f"tool.pytest addopts {argument}", 0)


def _finding(path: str, subject: str, line: int) -> Finding:
    return Finding(
        tool=TOOL,
        rule="alters-outcomes",
        message=f"{subject} can change which tests run or how they end; remove it, or waive it in "
        "pipeline/waivers.toml",
        path=path,
        line=line,
        subject=subject,
    )
