"""The actions that each role was allowed, and IAM's two operations that report them.

`GenerateServiceLastAccessedDetails` and `GetServiceLastAccessedDetails` ("Refine permissions in AWS
using last accessed information"). AWS tracks some actions; the local cloud tracks all.
"""

from __future__ import annotations

import threading
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult
from moto.iam.exceptions import NotFoundException
from moto.iam.responses import IamResponse

from localcloud.core.storage import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localcloud.core.clock import Clock
    from localcloud.core.ledger import Ledger

_KIND = "iam:usage"
_USE_RESOLUTION_SECONDS = 3600.0
"""Cloud seconds in which the uses of an action are recorded once."""


@dataclass(frozen=True)
class Use:
    """The last use of an action by a role, to `_USE_RESOLUTION_SECONDS`."""

    role_arn: str
    action: str
    region: str
    time: float
    """Cloud time in seconds since the epoch."""


class Usage:
    """The uses of all roles, kept in the ledger."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._lock = threading.Lock()
        self._uses: dict[tuple[str, str], Use] = {}
        for _, document in ledger.all(_KIND):
            use = Use(**document)
            self._uses[use.role_arn, use.action] = use

    def record(self, role_arn: str, action: str, region: str) -> None:
        """Record that a role was allowed an action.

        A disk that rejects the record fails no request: the next use is recorded instead.
        """
        key, now = (role_arn, action), self._clock.timestamp()
        with self._lock:
            known = self._uses.get(key)
            if known is not None and now - known.time < _USE_RESOLUTION_SECONDS:
                return
            use = self._uses[key] = Use(role_arn, action, region, now)
        try:
            self._ledger.put(_KIND, f"{role_arn} {action}", asdict(use))
        except StorageError:
            self._forget(key, use, known)

    def _forget(self, key: tuple[str, str], use: Use, known: Use | None) -> None:
        """Undo a use that was not stored, unless a later one has taken its place."""
        with self._lock:
            if self._uses.get(key) is not use:
                return
            if known is None:
                del self._uses[key]
            else:
                self._uses[key] = known

    def of(self, role_arn: str) -> list[Use]:
        """The uses of a role, sorted by action."""
        with self._lock:
            found = [use for use in self._uses.values() if use.role_arn == role_arn]
        return sorted(found, key=lambda use: use.action)


def answer_last_accessed(usage: Usage) -> None:
    """Add the two operations to moto's IAM, which lacks them."""
    jobs: dict[str, tuple[str, datetime]] = {}

    def generate(self: IamResponse) -> ActionResult:
        job = str(uuid.uuid4())
        jobs[job] = self.params["Arn"], datetime.now(UTC)
        return ActionResult({"JobId": job})

    def get(self: IamResponse) -> ActionResult:
        found = jobs.get(self.params["JobId"])
        if found is None:
            raise NotFoundException(f"Job {self.params['JobId']} does not exist")
        arn, created = found
        return ActionResult(
            {
                "JobStatus": "COMPLETED",
                "JobType": "ACTION_LEVEL",
                "JobCreationDate": created,
                "JobCompletionDate": created,
                "IsTruncated": False,
                "ServicesLastAccessed": _by_service(usage.of(arn)),
            }
        )

    setattr(IamResponse, "generate_service_last_accessed_details", generate)  # noqa: B010  # moto has no port
    setattr(IamResponse, "get_service_last_accessed_details", get)  # noqa: B010  # as above


def _by_service(uses: Iterable[Use]) -> list[dict[str, Any]]:
    services: dict[str, list[Use]] = {}
    for use in uses:
        services.setdefault(use.action.partition(":")[0], []).append(use)
    return [
        {
            "ServiceName": service,
            "ServiceNamespace": service,
            "LastAuthenticated": _time(max(use.time for use in of_service)),
            "TotalAuthenticatedEntities": 1,
            "TrackedActionsLastAccessed": [
                {
                    "ActionName": use.action.partition(":")[2],
                    "LastAccessedEntity": use.role_arn,
                    "LastAccessedTime": _time(use.time),
                    "LastAccessedRegion": use.region,
                }
                for use in of_service
            ],
        }
        for service, of_service in services.items()
    ]


def _time(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC)
