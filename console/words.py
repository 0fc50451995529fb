"""Statuses, outcomes, durations and foreign text as the console prints them."""

from __future__ import annotations

MARKS = {
    "Succeeded": ("✓", "green"),
    "Failed": ("✗", "red"),
    "InProgress": ("●", "yellow"),
    "Stopping": ("●", "yellow"),
    "Stopped": ("■", "red"),
    "Abandoned": ("■", "red"),
    "Cancelled": ("↻", "cyan"),
    "Superseded": ("↷", "cyan"),
    "NotStarted": ("·", "dim"),
}
"""Mark and colour for each status of CodePipeline."""

ENDINGS = {
    "promoted": ("promoted", "green"),
    "rolled_back": ("rolled back", "red"),
    "refused": ("refused", "red"),
    "error": ("ended in an error", "red"),
}
"""Words and colour for each ending of a release (`promotion.Ending`)."""


def duration(seconds: float) -> str:
    """Format seconds such as 4.2 s, 3 m 05 s or 1 h 04 m."""
    if seconds < 59.95:  # noqa: PLR2004  # more would be rounded to 60.0 s
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:  # noqa: PLR2004  # an hour
        return f"{minutes} m {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} m"


def printable(text: str) -> str:
    """Return a text with escapes in place of control and other unprintable characters."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def mark(status: str) -> str:
    """Return a status as a coloured mark, in rich's markup."""
    sign, colour = MARKS.get(status, ("?", "yellow"))
    return f"[{colour}]{sign}[/]"
