"""Access log lines: a stage's format with its `$context` variables replaced."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_VARIABLE = re.compile(r"\$context\.([A-Za-z][\w-]*(?:\.[A-Za-z][\w-]*)*)")


class AccessLogFormat:
    """A format such as `$context.requestId $context.status`.

    An unknown variable is logged as `-`.

    See "Variables for access logging for API Gateway" of the developer guide.
    """

    def __init__(self, text: str) -> None:
        # Texts and names alternate: text, name, text, name, …, text.
        self._parts = _VARIABLE.split(text)

    def line(self, context: Mapping[str, object]) -> str:
        """Format a line; the context's keys are dotted, such as `identity.sourceIp`."""
        parts = list(self._parts)
        for place in range(1, len(parts), 2):
            value = context.get(parts[place])
            parts[place] = "-" if value is None else str(value)
        return "".join(parts)
