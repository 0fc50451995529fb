"""How long a function is being created or updated, and refuses another change.

"Lambda function states" (Lambda guide): a new function is `Pending`, and the last update of another
`InProgress`, for some seconds; what depends on it fails with ResourceConflictException
(aws/aws-cli#6585, nficano/python-lambda#711, community.aws#830). It is so behind an update that
changes nothing, too (aws/aws-cli#6718). CloudFormation waits. A restart ends the wait.
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

_SECONDS = (1.0, 5.0)  # cloud seconds
_CANNOT = "The operation cannot be performed at this time."


@dataclass(frozen=True)
class _Update:
    kind: Literal["creation", "update"]
    until: float
    """Cloud time."""


class Updates:
    """Functions that are being created or updated."""

    def __init__(self, clock: Clock, delays: Delays) -> None:
        self._clock = clock
        self.delays = delays
        self._lock = threading.Lock()
        self._under_way: dict[tuple[str, ...], _Update] = {}

    def begin(self, where: Address, kind: Literal["creation", "update"] = "update") -> None:
        """Have a function be created or updated from now on."""
        until = self._clock.timestamp() + self.delays.between(_SECONDS, f"lambda {where.arn}")
        with self._lock:
            self._under_way[where[:3]] = _Update(kind, until)

    def require_settled(self, where: Address) -> None:
        """Check that nothing is under way.

        Raises:
            ApiError: ResourceConflictException.
        """
        found = self._found(where)
        if found is not None and found.kind == "creation":
            raise ApiError("ResourceConflictException", self._pending())
        if found is not None:
            arn = where._replace(qualifier="").arn
            message = f"{_CANNOT} An update is in progress for resource: {arn}"
            raise ApiError("ResourceConflictException", message)

    def rejection(self, where: Address) -> str:
        """Why a function cannot be invoked yet, or ""."""
        found = self._found(where)
        return self._pending() if found is not None and found.kind == "creation" else ""

    def wait(self, where: Address, cancel: threading.Event) -> None:
        """Wait until nothing is under way, or until the event is set."""
        found = self._found(where)
        if found is not None:
            self._clock.wait(found.until - self._clock.timestamp(), cancel)

    def states(self, where: Address) -> dict[str, Any]:
        """The fields of `FunctionConfiguration` that report an update."""
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
            found = self._under_way.get(where[:3])
            if found is not None and found.until <= now:
                del self._under_way[where[:3]]
                return None
            return found

    @staticmethod
    def _pending() -> str:
        return f"{_CANNOT} The function is currently in the following state: Pending"
