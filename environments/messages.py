"""The error message for an environment file that does not match the schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails


def sentence(path: Path, table: tuple[str, ...], error: ValidationError) -> str:
    """Return file, key, value and what is allowed; further errors by key."""
    first, *others = error.errors()
    key = _key(table, first)
    more = sorted({_key(table, other) for other in others} - {key})
    also = f" (and look at {', '.join(more)})" if more else ""
    return f"{shown(path)}: {key}: {_finding(first)}{also}"


def _key(table: tuple[str, ...], error: ErrorDetails) -> str:
    # A discriminated union puts its tag between the keys; the file has no such key.
    tags = {"all-at-once", "canary", "linear"}
    keys = [*table, *(str(part) for part in error["loc"] if part not in tags)]
    return ".".join([*keys, "type"] if error["type"].startswith("union_tag") else keys)


def _finding(error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    match error["type"]:
        case "missing" | "union_tag_not_found":
            return "nothing found; the key is required"
        case "extra_forbidden":
            return f"found {error['input']!r}; no such key is allowed here"
        case "union_tag_invalid":
            return f"found {context['tag']!r}; allowed are {context['expected_tags']}"
        case "value_error":
            return str(context["error"])
    return f"found {error['input']!r}; {error['msg'][0].lower()}{error['msg'][1:]}"


def shown(path: Path) -> str:
    """Return a file's path as the user of the repository writes it."""
    return "/".join(path.parts[-2:]) if path.parent.name == "environments" else path.name
