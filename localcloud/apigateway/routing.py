"""Routing of requests to the resources and methods of a deployment.

At each segment of the path an exact name takes precedence over a `{parameter}`, and that over a
greedy `{proxy+}`. A trailing slash is ignored. The resource is selected before its method: if it
lacks the method, the request fails, even if a greedy resource has the method.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")


@dataclass
class _Node(Generic[T]):
    exact: dict[str, _Node[T]] = field(default_factory=dict)
    parameter: tuple[str, _Node[T]] | None = None
    greedy: tuple[str, dict[str, T]] | None = None
    methods: dict[str, T] = field(default_factory=dict)


class RouteTable(Generic[T]):
    """A table of routes: resource path, method and value, such as `/pets/{id}`, `GET`.

    A resource without methods never matches.
    """

    def __init__(self, routes: Iterable[tuple[str, str, T]]) -> None:
        self._root: _Node[T] = _Node()
        for path, method, value in routes:
            self._place(path)[method] = value

    def match(self, method: str, path: str) -> tuple[T, dict[str, str]] | None:
        """Return a request's route and path parameters, or None.

        `path` is the part after the stage, encoded as it was sent, such as `/pets/a%20cat`. The
        parameters stay encoded.
        """
        segments = path.strip("/").split("/") if path.strip("/") else []
        found = self._descend(self._root, segments, 0)
        if found is None:
            return None
        methods, parameters = found
        value = methods.get(method) or methods.get("ANY")
        return None if value is None else (value, parameters)

    def _descend(
        self, node: _Node[T], segments: list[str], at: int
    ) -> tuple[dict[str, T], dict[str, str]] | None:
        if at == len(segments):
            return (node.methods, {}) if node.methods else None
        segment = segments[at]
        child = node.exact.get(unquote(segment) if "%" in segment else segment)
        found = self._descend(child, segments, at + 1) if child else None
        if found is None and node.parameter and segment:
            name, child = node.parameter
            found = self._descend(child, segments, at + 1)
            if found is not None:
                found[1][name] = segment
        if found is None and node.greedy:
            name, methods = node.greedy
            found = (methods, {name: "/".join(segments[at:])})
        return found

    def _place(self, path: str) -> dict[str, T]:
        node = self._root
        for part in path.strip("/").split("/") if path.strip("/") else []:
            if part.endswith("+}"):
                node.greedy = node.greedy or (part[1:-2], {})
                return node.greedy[1]
            if part.startswith("{"):
                node.parameter = node.parameter or (part[1:-1], _Node())
                node = node.parameter[1]
            else:
                node = node.exact.setdefault(part, _Node())
        return node.methods
