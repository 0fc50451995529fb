"""Access log lines: a stage's format with its `$context` variables filled in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_VARIABLE = re.compile(r"\$context\.([A-Za-z][\w-]*(?:\.[A-Za-z][\w-]*)*)")


class AccessLogFormat:
    """A format such as `$context.requestId $context.status`; an unknown variable logs as `-`.

    See "Variables for access logging for API Gateway" of the developer guide.
    """

    def __init__(self, text: str) -> None:
        # Text and names in turn: text, name, text, name, …, text.
        self._parts = _VARIABLE.split(text)

    def line(self, context: Mapping[str, object]) -> str:
        """One line; the context's names are dotted, such as `identity.sourceIp`."""
        parts = list(self._parts)
        for place in range(1, len(parts), 2):
            value = context.get(parts[place])
            parts[place] = "-" if value is None else str(value)
        return "".join(parts)
