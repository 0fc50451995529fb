"""Filter patterns of terms (user guide, "Filter pattern syntax")."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_TERM = re.compile(r'([-?]?)(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))(?=\s|$)|(\S)')


class PatternError(Exception):
    """A pattern is malformed, or not part of the local cloud."""


def matcher(pattern: str) -> Callable[[str], bool]:
    """Return a function that matches messages.

    A message matches if it contains all plain terms and no term with `-`, or any term with `?`.

    Raises:
        PatternError: the pattern is malformed, or not part of the local cloud.
    """
    stripped = pattern.strip()
    if stripped.startswith(("{", "[", "%")):
        raise PatternError(
            f"Filter pattern {pattern} is not part of the local cloud: JSON, delimited and regular "
            'expression patterns are not; use terms such as ERROR "a phrase" -absent ?any ?of'
        )
    kinds: dict[str, list[str]] = {"": [], "-": [], "?": []}
    for found in _TERM.finditer(stripped):
        sign, quoted, plain, bad = found.groups()
        if bad:
            raise PatternError(f"Invalid character(s) in term '{pattern}'")
        text = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        kinds[sign].append(text)
    every, none, some = kinds[""], kinds["-"], kinds["?"]
    if some and (every or none):
        raise PatternError(
            f"Filter pattern {pattern} mixes ?terms with others, which AWS does not evaluate"
        )
    if some:
        return lambda message: any(term in message for term in some)
    return lambda message: (
        all(term in message for term in every) and not any(term in message for term in none)
    )
