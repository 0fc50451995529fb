"""Find the tests that a folder's files define, without running them."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.gates.report.result import CouldNotRunError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Defined:
    """A test function in a file."""

    path: str
    name: str
    """Name with its classes, as in a node id: `TestFiles::test_a_file`."""
    line: int

    @property
    def id(self) -> str:
        """Return the node id without parameters."""
        return f"{self.path}::{self.name}"


def python_files(root: Path, folders: Sequence[str]) -> list[Path]:
    """Return the Python files below folders, and the conftest.py of each folder above them."""
    found = {path for folder in folders for path in (root / folder).rglob("*.py")}
    for folder in folders:
        above = [root / folder, *(root / folder).parents]
        found |= {each / "conftest.py" for each in above if each.is_relative_to(root)}
    return sorted(path for path in found if path.is_file())


def parse(path: Path) -> ast.Module:
    """Return the syntax tree of a file.

    Raises:
        CouldNotRunError: the file is no Python.
    """
    try:
        return ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        raise CouldNotRunError(f"{path.name}: not Python: {error}; correct the file") from error


def defined(root: Path, folders: Sequence[str]) -> list[Defined]:
    """Return the test functions and methods of the files that pytest collects by default.

    Raises:
        CouldNotRunError: a file is no Python.
    """
    return [
        Defined(path.relative_to(root).as_posix(), name, line)
        for path in python_files(root, folders)
        if path.name.startswith("test_") or path.name.endswith("_test.py")
        for name, line in _functions(parse(path).body, "")
    ]


def function_of(node_id: str) -> str:
    """Return a node id without parameters."""
    return node_id.split("[", 1)[0]


def _functions(body: Sequence[ast.stmt], inside: str) -> Iterator[tuple[str, int]]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name.startswith("test"):
                yield f"{inside}{node.name}", node.lineno
        elif isinstance(node, ast.ClassDef):
            if node.name.startswith("Test") or any(_is_test_case(each) for each in node.bases):
                yield from _functions(node.body, f"{inside}{node.name}::")
        else:  # if, try, with
            for part in ("body", "orelse", "finalbody"):
                yield from _functions(getattr(node, part, []), inside)
            for handler in getattr(node, "handlers", []):
                yield from _functions(handler.body, inside)


def _is_test_case(base: ast.expr) -> bool:
    name = base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")
    return str(name).endswith("TestCase")
