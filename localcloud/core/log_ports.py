"""Protocols of CloudWatch Logs.

Times are cloud time in seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from localcloud.core.credentials import Session

Lines = Sequence[tuple[float, str]]
"""The time and the text of each line."""
LogSubscriber = Callable[[str, str, str, str, Lines], None]
"""Called with account, region, group, stream and lines."""


class LogGroups(Protocol):
    """The log groups and log streams that exist."""

    def has_group(self, account: str, region: str, group: str) -> bool:
        """Return whether a log group exists."""
        ...

    def has_stream(self, account: str, region: str, group: str, stream: str) -> bool:
        """Return whether a log stream exists."""
        ...


class LogDelivery(LogGroups, Protocol):
    """Logs of a service that writes with a role."""

    def deliver(self, role: Session, region: str, group: str, stream: str, lines: Lines) -> object:
        """Write lines in the role's account; return why they are not written, or None."""
        ...


class LogWriter(LogGroups, Protocol):
    """Logs of a service that has checked its permission itself."""

    def write(self, account: str, region: str, group: str, stream: str, lines: Lines) -> object:
        """Write lines, which are then durable; return why they cannot be encrypted, or None."""
        ...


class LogFeed(Protocol):
    """All lines as they are written."""

    def subscribe(self, subscriber: LogSubscriber) -> None:
        """Call the subscriber with the lines of each write, on the writer's thread."""
        ...
