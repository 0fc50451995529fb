"""The error that the console prints instead of a traceback."""

from __future__ import annotations


class ConsoleError(Exception):
    """An error that the user can fix; the message says what was found and what to do."""
