"""The EventBridge Scheduler API of the default group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from moto.core.responses import ActionResult, EmptyResult

from localcloud.core.service_api import ApiError, ServiceApi
from localcloud.eventbridge import definitions, execution_roles
from localcloud.eventbridge.definitions import DefinitionError

if TYPE_CHECKING:
    from localcloud.eventbridge.model import Schedule
    from localcloud.eventbridge.service import Schedules


class SchedulerApi(ServiceApi):
    """Operations on schedules."""

    model: ClassVar[str] = "scheduler"
    service: Schedules

    def create_schedule(self) -> ActionResult:
        """Create a schedule."""
        name = self.params["Name"]
        if self._key(name) in self.service.schedules:
            raise ApiError("ConflictException", f"Schedule {name} already exists.")
        return self._put(None)

    def update_schedule(self) -> ActionResult:
        """Replace a schedule; an omitted parameter gets its default."""
        return self._put(self._schedule())

    def get_schedule(self) -> ActionResult:
        """Return a schedule."""
        found = self._schedule()
        described = {
            "Arn": found.arn,
            "Name": found.name,
            "GroupName": "default",
            "CreationDate": found.created,
            "LastModificationDate": found.modified,
            "ScheduleExpression": found.expression,
            "ScheduleExpressionTimezone": found.zone,
            "State": found.state,
            "Description": found.description or None,
            "StartDate": found.start,
            "EndDate": found.end,
            "Target": found.target,
            "FlexibleTimeWindow": found.window,
            "ActionAfterCompletion": found.after_completion,
        }
        return ActionResult({key: value for key, value in described.items() if value is not None})

    def list_schedules(self) -> ActionResult:
        """Return schedules by prefix and state."""
        prefix = self._key(self.params.get("NamePrefix") or "")
        state = self.params.get("State")
        return ActionResult(
            {
                "Schedules": [
                    {
                        "Arn": each.arn,
                        "Name": each.name,
                        "GroupName": "default",
                        "State": each.state,
                        "CreationDate": each.created,
                        "LastModificationDate": each.modified,
                        "Target": {"Arn": each.target["Arn"]},
                    }
                    for key, each in sorted(self.service.schedules.items())
                    if key.startswith(prefix) and state in {None, each.state}
                ]
            }
        )

    def delete_schedule(self) -> ActionResult:
        """Delete a schedule."""
        found = self._schedule()
        self.service.delete_schedule(self.account, self.region, found.name)
        return EmptyResult()

    def _put(self, before: Schedule | None) -> ActionResult:
        wanted: dict[str, Any] = dict(self.params)
        for name in ("StartDate", "EndDate"):
            if wanted.get(name) is not None:
                wanted[name] = wanted[name].timestamp()
        try:
            schedule = definitions.schedule(
                self.account, self.region, wanted, self.service.core.clock.timestamp(), before
            )
            execution_roles.check_schedule(self.service.access, schedule)
            self.service.put_schedule(schedule)
        except DefinitionError as error:
            raise ApiError(error.code, str(error)) from error
        return ActionResult({"ScheduleArn": schedule.arn})

    def _schedule(self) -> Schedule:
        name = self.params["Name"]
        found = self.service.schedules.get(self._key(name))
        if found is None:
            raise ApiError("ResourceNotFoundException", f"Schedule {name} does not exist.")
        return found

    def _key(self, name: str) -> str:
        return f"{self.account}/{self.region}/{name}"
