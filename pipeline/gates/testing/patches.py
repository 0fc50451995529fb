"""Find assignments by which a test file would change pytest itself, or what a test runs."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_RUN_ATTRIBUTES = frozenset({"__code__", "obj", "runtest"})
"""Attributes of a pytest item or a function that decide what runs as the test."""
_MODULES = frozenset({"_pytest", "pytest"})
_SETTERS = frozenset({"__delattr__", "__setattr__", "delattr", "setattr"})
"""Functions and methods that set attributes, with those of pytest's `monkeypatch`."""


def found(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield each assigned expression or attribute with its line."""
    names = _MODULES | set(_imported(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            if node.attr in _RUN_ATTRIBUTES:
                yield node.attr, node.lineno
            elif _root(node) in names:
                yield ast.unparse(node), node.lineno
        elif isinstance(node, ast.Call) and _called(node.func) in _SETTERS:
            yield from ((each, node.lineno) for each in _set(node, names))


def _imported(tree: ast.Module) -> Iterator[str]:
    """Yield the names under which the file imports pytest or a part of it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] in _MODULES and alias.asname:
                    yield alias.asname
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in _MODULES:
            yield from (alias.asname or alias.name for alias in node.names)


def _set(call: ast.Call, names: set[str] | frozenset[str]) -> Iterator[str]:
    """Yield the attributes that a call sets, if they are pytest's or decide what runs."""
    for each in [*call.args, *(keyword.value for keyword in call.keywords)][:2]:
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            parts = each.value.split(".")
            if parts[0] in _MODULES or parts[-1] in _RUN_ATTRIBUTES:
                yield each.value
    if call.args and _root(call.args[0]) in names:
        yield ast.unparse(call.args[0])


def _called(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""
