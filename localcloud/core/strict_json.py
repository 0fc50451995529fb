"""Read JSON by RFC 8259: reject NaN and repeated names, which Python accepts."""

from __future__ import annotations

import json
from typing import Any, NoReturn


class RepeatedNameError(ValueError):
    """An object has two members of one name."""


def parse(text: str | bytes, *, unique: bool = False) -> Any:
    """The value of a JSON text; `unique` rejects an object with two members of one name.

    Raises:
        ValueError: the text is no JSON.
    """
    pairs = _unique if unique else None
    try:
        return json.loads(text, parse_constant=_reject, object_pairs_hook=pairs)
    except RecursionError as error:
        raise ValueError("the text is nested too deeply") from error


def _reject(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON value")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise RepeatedNameError(f"the name {repeated!r} is repeated")
    return found
