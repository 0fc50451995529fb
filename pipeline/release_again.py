"""The permission to release a commit again that was rolled back: a record with a reason.

`pithead release --again` writes it to SSM in the pipeline's account. Standard library only, so
that whatever decides about a condemned version can read it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime

from pipeline.names import AGAIN_PARAMETERS


class AgainError(Exception):
    """A parameter's value is no such record; the message says why."""


@dataclass(frozen=True)
class Again:
    """Who releases a commit again, why and since when."""

    commit: str
    """Full id."""
    reason: str
    by: str
    """The caller's ARN."""
    at: datetime
    """The cloud's time; the release that follows is the one that is permitted."""

    def text(self) -> str:
        """Return the parameter's value, JSON."""
        return json.dumps(asdict(self) | {"at": self.at.isoformat()})


def parameter_name(commit: str) -> str:
    """Return the name of a commit's parameter."""
    return f"{AGAIN_PARAMETERS}/{commit}"


def read(text: str) -> Again:
    """Read a parameter's value.

    Raises:
        AgainError: it is no record.
    """
    try:
        found = json.loads(text)
        at = datetime.fromisoformat(found["at"])
        again = Again(str(found["commit"]), str(found["reason"]), str(found["by"]), at)
    except (ValueError, KeyError, TypeError) as error:
        raise AgainError(f"found {text[:80]!r}; expected commit, reason, by and at") from error
    if at.tzinfo is None or not again.reason.strip():
        raise AgainError(f"found {text[:80]!r}; expected a reason, and a time with its offset")
    return again
