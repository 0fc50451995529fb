"""A command that a message proposes to run next."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NextStep:
    """A command and its purpose."""

    command: str
    purpose: str
