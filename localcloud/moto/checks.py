"""Checks in front of operations of moto's backends, for requests and templates alike."""

from __future__ import annotations

import inspect
from functools import wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Check = Callable[[dict[str, Any]], None]

_installed: set[tuple[type, str, Check]] = set()


def install(checks: Iterable[tuple[type, str, Check]]) -> None:
    """Call a check before each operation, with the operation's arguments and `self` by name.

    Each check is installed once in a process, however many clouds it starts.
    """
    for each in checks:
        if each not in _installed:
            _installed.add(each)
            backend, name, check = each
            setattr(backend, name, _checked(getattr(backend, name), check))


def _checked(operation: Callable[..., Any], check: Check) -> Callable[..., Any]:
    signature = inspect.signature(operation)

    @wraps(operation)
    def checked(*arguments: Any, **named: Any) -> Any:
        check(signature.bind(*arguments, **named).arguments)
        return operation(*arguments, **named)

    return checked
