"""What the console tells instead of a traceback."""

from __future__ import annotations


class ConsoleError(Exception):
    """Something that the user can mend; the message is one sentence that says how."""
