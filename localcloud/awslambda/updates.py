"""States of functions during creations and updates, which reject other changes.

Source: "Lambda function states" in the Lambda developer guide. For some seconds the state of a new
function is `Pending`, and the last update of a changed function is `InProgress`. Meanwhile, what
depends on it fails with ResourceConflictException (aws/aws-cli#6585, nficano/python-lambda#711,
community.aws#830), even after an update without changes (aws/aws-cli#6718). CloudFormation waits. A
restart of the local cloud ends these states.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from localcloud.core.service_api import ApiError

if TYPE_CHECKING:
    from localcloud.awslambda.model import Address
    from localcloud.core.clock import Clock
    from localcloud.core.delays import Delays

_UPDATE_SECONDS = (1.0, 5.0)  # cloud seconds
_CONFLICT_MESSAGE = "The operation cannot be performed at this time."


@dataclass(frozen=True)
class _Update:
    kind: Literal["creation", "update"]
    until: float
    """Cloud time."""


class Updates:
    """The functions in creation or in update."""

    def __init__(self, clock: Clock, delays: Delays) -> None:
        self._clock = clock
        self.delays = delays
        self._lock = threading.Lock()
        self._in_progress: dict[tuple[str, ...], _Update] = {}

    def begin(self, where: Address, kind: Literal["creation", "update"] = "update") -> None:
        """Start the creation or the update of a function."""
        until = self._clock.timestamp() + self.delays.between(
            _UPDATE_SECONDS, f"lambda {where.arn}"
        )
        with self._lock:
            self._in_progress[where[:3]] = _Update(kind, until)

    def require_no_update(self, where: Address) -> None:
        """Check that no creation or update is in progress.

        Raises:
            ApiError: ResourceConflictException.
        """
        found = self._found(where)
        if found is not None and found.kind == "creation":
            raise ApiError("ResourceConflictException", self._pending())
        if found is not None:
            arn = where._replace(qualifier="").arn
            message = f"{_CONFLICT_MESSAGE} An update is in progress for resource: {arn}"
            raise ApiError("ResourceConflictException", message)

    def rejection(self, where: Address) -> str:
        """Return why a function cannot be invoked yet, or ""."""
        found = self._found(where)
        return self._pending() if found is not None and found.kind == "creation" else ""

    def wait(self, where: Address, cancel: threading.Event) -> None:
        """Wait for the end of the creation or update, or until the event is set."""
        found = self._found(where)
        if found is not None:
            self._clock.wait(found.until - self._clock.timestamp(), cancel)

    def states(self, where: Address) -> dict[str, Any]:
        """Return the fields of `FunctionConfiguration` about states."""
        found = self._found(where)
        if found is None:
            return {"State": "Active", "LastUpdateStatus": "Successful"}
        if found.kind == "update":
            return {"State": "Active", "LastUpdateStatus": "InProgress"}
        return {
            "State": "Pending",
            "StateReason": "The function is being created.",
            "StateReasonCode": "Creating",
            "LastUpdateStatus": "Successful",
        }

    def _found(self, where: Address) -> _Update | None:
        now = self._clock.timestamp()
        with self._lock:
            found = self._in_progress.get(where[:3])
            if found is not None and found.until <= now:
                del self._in_progress[where[:3]]
                return None
            return found

    @staticmethod
    def _pending() -> str:
        return f"{_CONFLICT_MESSAGE} The function is currently in the following state: Pending"
